# One linear layer over a united list of classes, for several label spaces at once: garments, faces, bodies and people.
_base_ = './multi-head_r18_mixed-people.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
