# Category guidance as LMSeg's, but without a decoder: text rows stand beside the queries in the joint blocks.
_base_ = './encoder-only_vit-s_clash5.py'
model = dict(decode_head=dict(decoder=dict(category_guided=True)))
