# RESI as we read it (docs/resi.md): Mask2Former with queries of each label space's own, and class names read as text.
_base_ = './lmseg_in1k-r50.py'

model = dict(
    decode_head=dict(
        pixel_decoder=dict(_delete_=True, type='mmlmseg.DeformablePixelDecoder'),
        queries=dict(type='mmlmseg.LabelSpaceQueries'),
        decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_layers=9, dropout=0.0),
        criterion=dict(_delete_=True, type='mmlmseg.PointCriterion'),
    ),
    test_cfg=dict(panoptic=dict(object=0.8, overlap=0.8, pixel=0.5)),
)
