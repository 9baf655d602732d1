# One linear layer over a united list of classes, for several label spaces at once: fine and coarse classes of streets.
_base_ = './multi-head_r18_mixed-streets.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
