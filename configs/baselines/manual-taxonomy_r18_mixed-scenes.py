# One linear layer over a united list of classes, for several label spaces at once: five label spaces of drawn scenes.
_base_ = './multi-head_r18_mixed-scenes.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
