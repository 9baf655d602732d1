# A small RESI that learns from scratch on a CPU: plain pixel decoder, one level of memory.
_base_ = './lmseg_r18.py'

model = dict(
    decode_head=dict(
        queries=dict(type='mmlmseg.LabelSpaceQueries'),
        decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_levels=1, dropout=0.0),
        criterion=dict(_delete_=True, type='mmlmseg.PointCriterion', num_points=2048),
    )
)
