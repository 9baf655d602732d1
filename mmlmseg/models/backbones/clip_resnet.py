"""CLIP's ResNet image tower as a multi-scale backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ...errors import CheckpointError
from ...registry import MODELS
from ..open_clip_loader import load_open_clip, model_config
from .frozen import FreezableBackbone

RANDOM_BRANCH_SCALE = 0.2


@MODELS.register_module()
class CLIPResNet(FreezableBackbone):
    """open_clip's ``ModifiedResNet`` without its attention pool, with frozen batch norm (paper, section 3.2).

    Four maps at strides 4, 8, 16 and 32. Statistics, scale and shift of every norm layer are fixed, so results do not
    depend on how a batch is composed. The weights are read in :meth:`init_weights`, that is when training starts: a
    checkpoint is used without the weight file. Images are expected as CLIP sees them, RGB with CLIP's own mean and
    deviation.

    Args:
        model: An open_clip model with a ResNet image tower, e.g. ``RN50-quickgelu``.
        pretrained: A local weight file, a hub tag of open_clip, or None for random weights.
        frozen: Whether it stays as it is, see :class:`FreezableBackbone`.
        init_cfg: See mmengine's BaseModule, e.g. the backbone of a checkpoint; then ``pretrained`` is not read.

    Raises:
        CheckpointError: Where the model is unknown or its image tower is no ResNet.

    Example:
        >>> import torch
        >>> [tuple(map.shape) for map in CLIPResNet()(torch.zeros(1, 3, 64, 64))]
        [(1, 256, 16, 16), (1, 512, 8, 8), (1, 1024, 4, 4), (1, 2048, 2, 2)]
    """

    def __init__(
        self,
        model: str = 'RN50-quickgelu',
        pretrained: str | None = None,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(frozen, init_cfg=init_cfg)
        from open_clip.modified_resnet import ModifiedResNet
        from open_clip.utils import freeze_batch_norm_2d

        config = model_config(model)
        vision = config['vision_cfg']
        if not isinstance(vision.get('layers'), list):
            raise CheckpointError(
                f'the image tower of open_clip model {model!r} is no ResNet; use one such as RN50-quickgelu, or '
                'mmlmseg.OpenClipVision'
            )
        self.model, self.pretrained = model, pretrained
        self.out_channels = tuple(vision['width'] * 4 * 2**i for i in range(4))
        visual = ModifiedResNet(vision['layers'], config['embed_dim'], heads=1, width=vision['width'])
        visual.attnpool = None
        self.visual: Any = freeze_batch_norm_2d(visual)
        self._randomise()
        self.train()

    def init_weights(self) -> None:
        """Reads the pretrained weights."""
        super().init_weights()
        if self.init_cfg or self.pretrained is None:
            return
        clip: Any = load_open_clip(self.model, self.pretrained)
        weights = clip.visual.state_dict()
        own = self.visual.state_dict()
        self.visual.load_state_dict({name: tensor for name, tensor in weights.items() if name in own})

    def maps(self, images: Tensor) -> Sequence[Tensor]:
        """Images ``[B, 3, H, W]`` to four maps ``[B, C_i, H / s_i, W / s_i]``, s = 4, 8, 16, 32."""
        x = self.visual.stem(images)
        maps = []
        for stage in (self.visual.layer1, self.visual.layer2, self.visual.layer3, self.visual.layer4):
            x = stage(x)
            maps.append(x)
        return maps

    def _randomise(self) -> None:
        # Norm layers that never normalise cannot tame default weights: without this, random features die out or, as
        # the last scale of each residual branch starts at a zero that is frozen, the branches stay off for good.
        for name, module in self.visual.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            elif name.endswith('bn3') and name.startswith('layer'):
                nn.init.constant_(module.weight, RANDOM_BRANCH_SCALE)
