# One linear layer over a united list of classes: those of one name are one. `taxonomy` also takes a table of your own.
_base_ = './multi-head_r18_clash5.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
