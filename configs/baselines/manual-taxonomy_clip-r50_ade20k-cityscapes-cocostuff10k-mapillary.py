# One linear layer over a united list of classes, those of one name being one. `taxonomy` also takes a table,
# such as MSeg's: dict(file='MSeg_master.tsv', columns=dict(ade20k='ade20k-150', ...)).
_base_ = './multi-head_clip-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
