"""Models that read an image alone, tiny and with random weights.

Images are 8 x 12 pixels or a multiple of that, so that rows and columns of patches differ; some
models take square images only. Depths and numbers of heads differ between stages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers as tf
from architectures import IDS, IMAGE, SMALL_GPT, noise, only, whole
from models import build

from zoo.common import Entry, Inputs
from zoo.watching import watching

SIZE = (8, 12)
VIT: dict[str, Any] = {**IMAGE, "num_hidden_layers": 3, "image_size": SIZE}
QUERIES = re.compile(r"(q_proj|query|qkv|queries\w*)(\.linear)?\.weight")
Make = Callable[[], tf.PreTrainedModel]


def pixels(height: int = 8, width: int = 12) -> Inputs:
    """Two images, (2, 3, height, width)."""
    return only(pixel_values=noise(2, 3, height, width))


def half_seen(height: int, width: int) -> Inputs:
    """Two images, of which the second one fills the left two thirds of its frame."""
    seen = torch.ones(2, height, width, dtype=torch.long)
    seen[1, :, width * 2 // 3 :] = 0
    return pixels(height, width) | only(pixel_mask=seen)


def with_queries(images: Callable[[int, int], Inputs]) -> Inputs:
    """Images of 32 x 48, and object queries of each; DETR's own are the same for any image."""
    return images(32, 48) | only(decoder_inputs_embeds=noise(2, 5, 32))


def resnet(*outputs: str) -> tf.ResNetConfig:
    """A backbone of two stages, whose last map is an eighth of the image each way."""
    return tf.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        out_features=list(outputs),
    )  # fmt: skip


def of_config(model: Any, config: Any, **settings: Any) -> Make:
    """Return what builds `model` from a configuration of its class `config`."""
    return lambda: whole(model, config(**settings))


def sharp(make: Make, size: tuple[int, int] | None = None) -> Make:
    """Make queries four times as long, so that rows are far from uniform.

    Where there are batch norms, they learn the numbers of images of this `size` after that:
    otherwise pixels would not matter behind a few convolutions.
    """

    def made() -> tf.PreTrainedModel:
        model = make()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if QUERIES.search(name):
                    parameter.mul_(4)
        if size is not None:
            for module in model.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.momentum = 1.0
            torch.manual_seed(1)
            with torch.no_grad():
                model.train()(**pixels(*size))
            model.eval()
        return model

    return made


def shuffled() -> Inputs:
    """Images, and the numbers by which ViTMAE chooses 3 of 6 patches and orders them."""
    return pixels() | only(
        noise=torch.tensor([[0.9, 0.2, 0.7, 0.1, 0.6, 0.3], [0.4, 0.8, 0.1, 0.9, 0.2, 0.7]])
    )


def siglip2_patches() -> Inputs:
    """Two images cut into patches of 4 x 4 pixels: 2 x 3 patches each."""
    return only(
        pixel_values=noise(2, 6, 48),
        pixel_attention_mask=torch.ones(2, 6, dtype=torch.long),
        spatial_shapes=torch.tensor([[2, 3], [2, 3]]),
    )


def siglip2_padded() -> Inputs:
    """The same where the second image has 2 x 2 patches, and two places of padding."""
    inputs = siglip2_patches()
    inputs["pixel_attention_mask"][1, 4:] = 0
    inputs["spatial_shapes"][1] = torch.tensor([2, 2])
    return inputs


def image_gpt(padding: int = 0) -> Inputs:
    """Two images as colours of a palette, pixel by pixel; ImageGPT is a GPT-2 over those."""
    seen = torch.ones(2, len(IDS), dtype=torch.long)
    seen[1, :padding] = 0
    return only(input_ids=torch.tensor([IDS, IDS[::-1]]), attention_mask=seen)


def sam2() -> tf.PreTrainedModel:
    """Four stages: windows of 4 x 4, queries pooled between stages, and one global layer."""
    stages = {
        "blocks_per_stage": [1, 2, 1, 1], "embed_dim_per_stage": [8, 16, 24, 32],
        "num_attention_heads_per_stage": [1, 2, 3, 4], "window_size_per_stage": [4, 4, 4, 4],
    }  # fmt: skip
    backbone = tf.Sam2HieraDetConfig(
        hidden_size=8, image_size=[32, 32], patch_kernel_size=[3, 3], patch_stride=[2, 2],
        patch_padding=[1, 1], query_stride=[2, 2], global_attention_blocks=[2],
        window_positional_embedding_background_size=[2, 2], mlp_ratio=2.0, **stages,
    )  # fmt: skip
    config = tf.Sam2Config(
        vision_config=tf.Sam2VisionConfig(
            backbone_config=backbone, backbone_channel_list=[32, 24, 16, 8],
            backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=16,
        ),
        prompt_encoder_config=tf.Sam2PromptEncoderConfig(
            hidden_size=16, image_size=32, patch_size=8, mask_input_channels=4
        ),
        mask_decoder_config=tf.Sam2MaskDecoderConfig(
            hidden_size=16, mlp_dim=24, num_hidden_layers=2, num_attention_heads=2,
            iou_head_hidden_dim=16,
        ),
    )  # fmt: skip
    return whole(tf.Sam2Model, config)


def prompted() -> Inputs:
    """Two images of 32 x 32, with one point each."""
    return only(
        pixel_values=noise(2, 3, 32, 32),
        input_points=torch.tensor([[[[3.0, 5.0]]], [[[19.0, 2.0]]]]),
        input_labels=torch.ones(2, 1, 1, dtype=torch.long),
    )


DETR: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "num_queries": 5,
}  # fmt: skip


def detr() -> tf.PreTrainedModel:
    """A ResNet, an encoder over its map, and queries."""
    model = whole(tf.DetrModel, tf.DetrConfig(**DETR, backbone_config=resnet("stage2")))
    with torch.no_grad():  # Scores of several hundreds would round by more than the tolerance.
        model.input_projection.weight.mul_(0.1)
    return model


def deformable_detr() -> tf.PreTrainedModel:
    """DETR that samples the image at a few points; its queries are places found in the image."""
    return whole(
        tf.DeformableDetrForObjectDetection,
        tf.DeformableDetrConfig(
            **DETR, backbone_config=resnet("stage1", "stage2"), num_feature_levels=2,
            encoder_n_points=2, decoder_n_points=2, disable_custom_kernels=True, two_stage=True,
            two_stage_num_proposals=5, with_box_refine=True,
        ),
    )  # fmt: skip


def mask2former() -> tf.PreTrainedModel:
    """A Swin backbone, sampling attention over pixels, and queries that read masked pixels."""
    backbone = tf.SwinConfig(
        image_size=(32, 48), patch_size=2, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 2],
        window_size=4, mlp_ratio=2.0, out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    return whole(
        tf.Mask2FormerModel,
        tf.Mask2FormerConfig(
            backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32,
            encoder_feedforward_dim=24, dim_feedforward=24, encoder_layers=1, decoder_layers=4,
            num_attention_heads=2, num_queries=5, feature_strides=[2, 4, 8, 16],
        ),
    )  # fmt: skip


STAGES: dict[str, Any] = {
    "num_encoder_blocks": 2, "depths": [2, 1], "hidden_sizes": [16, 32],
    "num_attention_heads": [2, 4], "mlp_ratios": [2, 2],
}  # fmt: skip
WINDOWS = "the first window of an image is shown"

ENTRIES = [
    Entry(
        "dinov2", "DINOv2",
        of_config(
            tf.Dinov2Model, tf.Dinov2Config, hidden_size=32, num_attention_heads=4,
            num_hidden_layers=3, mlp_ratio=1, patch_size=4, image_size=8,
        ),
        pixels, {"self": 3},
    ),
    Entry(
        "dinov2-registers", "DINOv2 with registers",
        of_config(
            tf.Dinov2WithRegistersModel, tf.Dinov2WithRegistersConfig, hidden_size=32,
            num_attention_heads=4, num_hidden_layers=3, mlp_ratio=1, patch_size=4,
            image_size=8, num_register_tokens=2,
        ),
        pixels, {"self": 3},
        notes="registers stand between the class token and the patches",
    ),
    Entry(
        "dinov3-vit", "DINOv3 ViT",
        of_config(tf.DINOv3ViTModel, tf.DINOv3ViTConfig, **VIT, num_register_tokens=2),
        pixels, {"self": 3},
        notes="registers stand between the class token and the patches",
    ),
    Entry(
        "siglip-vision", "SigLIP vision tower",
        of_config(tf.SiglipVisionModel, tf.SiglipVisionConfig, **{**VIT, "image_size": 12}),
        partial(pixels, 12, 12), {"self 9×9": 3, "self 1×9": 1},
        notes="the pooling head, one learnt query over all patches, is a layer of its own",
        oracle=watching(),
    ),
    Entry(
        "siglip2-vision", "SigLIP 2 vision tower",
        of_config(
            tf.Siglip2VisionModel, tf.Siglip2VisionConfig, num_patches=4,
            **{k: v for k, v in VIT.items() if k != "image_size"},
        ),
        siglip2_patches, {"self 6×6": 3, "self 1×6": 1}, siglip2_padded,
        notes="the pooling head, one learnt query over all patches, is a layer of its own",
        oracle=watching(),
    ),
    Entry(
        "beit", "BEiT",
        of_config(
            tf.BeitModel, tf.BeitConfig, **VIT, use_relative_position_bias=True,
            layer_scale_init_value=0.5, drop_path_rate=0.0,
        ),
        pixels, {"self": 3},
        notes="a bias for the distance of two patches is added to the scores",
    ),
    Entry("deit", "DeiT", of_config(tf.DeiTModel, tf.DeiTConfig, **VIT), pixels, {"self": 3},
          notes="a distillation token stands between the class token and the patches"),
    Entry(
        "yolos", "YOLOS",
        of_config(tf.YolosModel, tf.YolosConfig, **VIT, num_detection_tokens=3),
        pixels, {"self": 3},
        notes="detection tokens stand after the patches",
    ),
    Entry(
        "vit-mae", "ViTMAE", of_config(tf.ViTMAEModel, tf.ViTMAEConfig, **VIT, mask_ratio=0.5),
        shuffled, {"self": 3},
        notes="the patches that it reads are chosen and ordered by chance, for each image anew",
    ),
    Entry(
        "segformer", "Segformer",
        of_config(
            tf.SegformerModel, tf.SegformerConfig, **STAGES, sr_ratios=[2, 1], patch_sizes=[3, 3],
            strides=[4, 2], drop_path_rate=0.0,
        ),
        partial(pixels, 16, 24), {"self 24×6": 2, "self 6×6": 1},
        notes="keys of early stages stand for squares of several patches",
    ),
    Entry(
        "pvt", "PVT",
        of_config(
            tf.PvtModel, tf.PvtConfig, **STAGES, image_size=24, patch_sizes=[4, 2],
            strides=[4, 2], sequence_reduction_ratios=[2, 1],
        ),
        partial(pixels, 24, 24), {"self 36×9": 2, "self 10×10": 1},
        notes="keys of early stages stand for squares of several patches",
    ),
    Entry(
        "swinv2", "Swin V2",
        of_config(
            tf.Swinv2Model, tf.Swinv2Config, image_size=(16, 24), patch_size=2, embed_dim=16,
            depths=[2, 1], num_heads=[2, 4], window_size=4, mlp_ratio=2.0, drop_path_rate=0.0,
        ),
        partial(pixels, 16, 24), {"self": 3}, notes=WINDOWS,
    ),
    Entry(
        "hiera", "Hiera",
        sharp(of_config(
            tf.HieraModel, tf.HieraConfig, embed_dim=8, image_size=[16, 24], patch_size=[3, 3],
            patch_stride=[2, 2], patch_padding=[1, 1], mlp_ratio=2.0, depths=[1, 2, 2],
            num_heads=[1, 2, 4], num_query_pool=2, masked_unit_size=[4, 4],
            masked_unit_attention=[True, True, False],
        )),
        partial(pixels, 16, 24),
        {"self 16×16": 1, "self 4×16": 1, "self 4×4": 1, "self 1×4": 1, "self 6×6": 1},
        notes=WINDOWS,
        oracle=watching("HieraMaskUnitAttention"),
    ),
    Entry(
        "levit", "LeViT",
        sharp(of_config(
            tf.LevitModel, tf.LevitConfig, image_size=64, hidden_sizes=[16, 24],
            num_attention_heads=[2, 3], depths=[2, 1], key_dim=[6, 8], mlp_ratio=[2, 2],
            attention_ratio=[1, 2],
            down_ops=[["Subsample", 6, 2, 2, 2, 2], [""]],
        ), (64, 64)),
        partial(pixels, 64, 64), {"self 16×16": 2, "self 4×16": 1, "self 4×4": 1},
        notes="between stages, the queries are every second patch of the keys, each way",
        oracle=watching("LevitAttention", "LevitAttentionSubsample"),
    ),
    Entry(
        "cvt", "CvT",
        sharp(of_config(
            tf.CvtModel, tf.CvtConfig, patch_sizes=[3, 3], patch_stride=[4, 2],
            patch_padding=[1, 1], embed_dim=[16, 32], num_heads=[2, 4], depth=[2, 2],
            mlp_ratio=[2.0, 2.0], attention_drop_rate=[0.0, 0.0], drop_rate=[0.0, 0.0],
            drop_path_rate=[0.0, 0.0], qkv_bias=[True, True], cls_token=[False, True],
            qkv_projection_method=["dw_bn", "dw_bn"], kernel_qkv=[3, 3], padding_kv=[1, 1],
            stride_kv=[2, 2], padding_q=[1, 1], stride_q=[1, 1],
        ), (16, 24)),
        partial(pixels, 16, 24), {"self 24×6": 2, "self 7×3": 2},
        notes="keys stand for squares of several patches",
        oracle=watching("CvtSelfAttention"),
    ),
    Entry(
        "mobilevit", "MobileViT",
        sharp(of_config(
            tf.MobileViTModel, tf.MobileViTConfig, image_size=64, hidden_sizes=[16, 24, 32],
            neck_hidden_sizes=[4, 8, 8, 12, 12, 16, 16], num_attention_heads=4, expand_ratio=1.0,
        ), (64, 96)),
        partial(pixels, 64, 96), {"self 24×24": 2, "self 6×6": 4, "self 2×2": 3},
        notes="pixels of the same place in their squares attend to each other: the first place is "
        "shown",
        oracle=watching("MobileViTSelfAttention"),
    ),
    Entry(
        "dpt", "DPT",
        of_config(
            tf.DPTModel, tf.DPTConfig, **{**VIT, "image_size": 8},
            backbone_out_indices=[0, 1, 2, 2], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        ),
        pixels, {"self": 3},
    ),
    Entry(
        "swin", "Swin",
        of_config(
            tf.SwinModel, tf.SwinConfig, image_size=(16, 24), patch_size=2, embed_dim=16,
            depths=[2, 1], num_heads=[2, 4], window_size=4, mlp_ratio=2.0, drop_path_rate=0.0,
        ),
        partial(pixels, 16, 24), {"self": 3}, notes=WINDOWS,
    ),
    Entry(
        "image-gpt", "ImageGPT",
        partial(build, tf.ImageGPTModel, tf.ImageGPTConfig, **SMALL_GPT),
        image_gpt, {"self": 3}, partial(image_gpt, 2),
        notes="each token is the colour of a pixel",
        oracle=watching("ImageGPTAttention"),
    ),
    Entry(
        "detr", "DETR",
        detr,
        partial(with_queries, pixels), {"encoder": 2, "decoder": 3, "cross": 3},
        partial(with_queries, half_seen),
    ),
    Entry(
        "deformable-detr", "Deformable DETR", deformable_detr,
        partial(pixels, 32, 48), {"decoder": 3}, partial(half_seen, 32, 48),
        not_shown=("DeformableDetrMultiscaleDeformableAttention",),
        notes="its attention to the image samples a few points and has no map",
    ),
    Entry(
        "mask2former", "Mask2Former", mask2former, partial(pixels, 32, 48),
        {"self 16×16": 4, "self 5×5": 3, "cross 5×6": 1, "cross 5×24": 1, "cross 5×96": 1},
        not_shown=("Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention",),
        notes="the attention of its pixel decoder samples a few points and has no map; " + WINDOWS,
        # Its sampling and its normalisations multiply the rounding of float32; in float64 all maps
        # are within 2e-7.
        tolerance=5e-6,
        oracle=watching("Mask2FormerAttention"),
    ),
    Entry(
        "sam2", "SAM 2", sam2, prompted,
        {
            "vision 16×16": 1, "vision 4×16": 3, "vision 64×64": 1, "decoder": 2, "cross 8×16": 3,
            "cross 16×8": 2,
        },
        notes=WINDOWS,
    ),
]  # fmt: skip
