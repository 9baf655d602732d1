# LMSeg without language is MaskFormer, RESI without language is Mask2Former: one linear classifier per label space. With
# several it is the multi-head baseline. The configs that inherit this file put one of them into their decode_head.
maskformer_head = dict(
    text=None, decoder=dict(type='mmlmseg.PlainDecoder'), classifier=dict(type='mmlmseg.LinearClassifier')
)
mask2former_head = dict(
    text=None,
    queries=dict(type='mmlmseg.SharedQueries', learn_content=True),
    classifier=dict(type='mmlmseg.LinearClassifier'),
)
