# One linear layer over a united list of classes, for several label spaces at once: parts of facades and buildings.
_base_ = './multi-head_r18_mixed-facades.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
