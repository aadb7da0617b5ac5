"""Layers with parameters of their own, and whole models: results and derivatives of both orders.

The parameters of each are in a safetensors file, as PyTorch users save them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

from common import EPS, HERE, NUMBERS, array, f32, floats, integers

CASES = []
# What `strict.py` loads weights into: modules, inputs, and how they are called.
MODULES = {}
# Names and shapes of whole models, without numbers.
SHAPES = []


def case(name, module, inputs, call=None, evaluate=True, derive=True, **attributes):
    """What `module` makes of named inputs, and the derivatives of a sum of its results with
    coefficients, and of a sum of these derivatives with coefficients, by its parameters."""
    call = call or (lambda module, x: module(x))
    MODULES[name] = module, inputs, call
    for parameter in module.parameters():
        size = min(1.0, 2 / math.sqrt(parameter.shape[-1]))
        parameter.data = (floats(*parameter.shape, low=-1, high=1) * 64 * size).round() / 64
    for key, buffer in module.named_buffers():
        if key.endswith("running_mean"):
            buffer.copy_(floats(*buffer.shape, low=-1, high=1))
        elif key.endswith("running_var"):
            buffer.copy_(floats(*buffer.shape, low=0.5, high=2))
        elif key.endswith(("weight_u", "weight_v")):
            buffer.copy_(floats(*buffer.shape, low=0.25, high=1))
        elif key.endswith("noise_strength"):
            buffer.zero_()
    state = {key: value.clone() for key, value in module.state_dict().items()}
    save_file({key: value.to(torch.float32) if value.is_floating_point() else value
               for key, value in state.items()}, HERE / "models" / f"{name}.safetensors")

    outputs = lambda: [y for y in (lambda r: r if isinstance(r, tuple) else (r,))(call(module, **inputs))]
    entry = {"name": name, **attributes, "inputs": {
        key: {"dtype": "f32" if value.is_floating_point() else "u32", **array(value)}
        for key, value in inputs.items()}}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        if evaluate:
            module.eval()
            with torch.no_grad():
                entry["evaluated"] = [array(y) for y in outputs()]
            module.load_state_dict(state)
        if not derive:
            CASES.append(entry)
            return
        module.train()
        ys = outputs()
        cotangents = [floats(*y.shape) for y in ys]
        names, parameters = zip(*module.named_parameters())
        loss = sum((y * ct).sum() for y, ct in zip(ys, cotangents))
        first = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
        first = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, first)]
        weights = [floats(*g.shape) for g in first]
        total = sum((g * w).sum() for g, w in zip(first, weights))
        second = torch.autograd.grad(total, parameters, allow_unused=True)
    second = [torch.zeros_like(g) if h is None else h for g, h in zip(first, second)]
    entry |= {"outputs": [array(y) for y in ys], "cotangents": [array(ct) for ct in cotangents]}
    entry["first"], entry["weights"], entry["second"] = (
        {name: array(value) for name, value in zip(names, values)}
        for values in (first, weights, second))
    CASES.append(entry)


class Block(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, inputs, channels, stride):
        super().__init__()
        conv = lambda i, window, stride: nn.Conv2d(i, channels, window, stride, window // 2, bias=False)
        self.conv1, self.bn1 = conv(inputs, 3, stride), nn.BatchNorm2d(channels, eps=EPS)
        self.conv2, self.bn2 = conv(channels, 3, 1), nn.BatchNorm2d(channels, eps=EPS)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(conv(inputs, 1, stride), nn.BatchNorm2d(channels, eps=EPS))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's, with the names of its parts."""

    def __init__(self, large, blocks, width, classes):
        super().__init__()
        self.large = large
        self.conv1 = (nn.Conv2d(3, width, 7, 2, 3, bias=False) if large
                      else nn.Conv2d(3, width, 3, 1, 1, bias=False))
        self.bn1 = nn.BatchNorm2d(width, eps=EPS)
        inputs = width
        for stage, count in enumerate(blocks):
            channels = width * 2 ** stage
            layers = []
            for index in range(count):
                layers.append(Block(inputs, channels, 2 if stage and not index else 1))
                inputs = channels
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.stages = len(blocks)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.large:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class LstmClassifier(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class Transformer(nn.Module):
    def __init__(self, symbols, longest, width, wide, heads, layers):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(symbols, width), nn.Embedding(longest, width)
        layer = nn.TransformerEncoderLayer(width, heads, wide, dropout=0.0, activation="gelu",
                                           layer_norm_eps=EPS, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width, eps=EPS),
                                             enable_nested_tensor=False)
        self.head = nn.Linear(width, symbols)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=torch.float64)
        x = self.tokens(x) + self.positions.weight[:x.shape[1]]
        return self.head(self.encoder(x, mask, is_causal=True))


class ResetBefore(nn.GRU):
    """Cho's gated recurrent unit, which PyTorch has not: the reset in front of the product."""

    def forward(self, x):
        h = torch.zeros(x.shape[0], self.hidden_size)
        n = self.hidden_size
        outputs = []
        for step in range(x.shape[1]):
            inputs = x[:, step] @ self.weight_ih_l0.T + self.bias_ih_l0
            gates = inputs[:, :2 * n] + h @ self.weight_hh_l0[:2 * n].T + self.bias_hh_l0[:2 * n]
            r, z = gates.sigmoid().chunk(2, 1)
            new = torch.tanh(inputs[:, 2 * n:] + (r * h) @ self.weight_hh_l0[2 * n:].T
                             + self.bias_hh_l0[2 * n:])
            h = (1 - z) * new + z * h
            outputs.append(h)
        return torch.stack(outputs, 1)


class GroupedQueries(nn.Module):
    """Attention whose heads share keys and values, with rotary positions."""

    def __init__(self, width, heads, shared, base):
        super().__init__()
        self.heads, self.shared, self.base, self.each = heads, shared, base, width // heads
        rows = width + 2 * shared * self.each
        self.in_proj_weight = nn.Parameter(torch.zeros(rows, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(rows))
        self.out_proj = nn.Linear(width, width)

    def turned(self, x):
        half = self.each // 2
        angle = torch.arange(x.shape[2])[:, None] * self.base ** (-torch.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)

    def forward(self, x):
        y = x @ self.in_proj_weight.T + self.in_proj_bias
        width, narrow = x.shape[2], self.shared * self.each
        q, k, v = (part.unflatten(-1, (-1, self.each)).transpose(1, 2)
                   for part in y.split([width, narrow, narrow], -1))
        y = F.scaled_dot_product_attention(self.turned(q), self.turned(k), v, is_causal=True,
                                           enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


def packed(module, x, lengths, hidden=None, cell=None):
    """A recurrent network over sequences of several lengths, from a state."""
    state = hidden if cell is None else (hidden, cell)
    sequence = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, last = module(sequence, state)
    y = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0]
    return (y, *last) if isinstance(last, tuple) else (y, last)


def sinusoidal(module, x):
    t, d = x.shape[1:]
    angle = torch.arange(t)[:, None] * 10000.0 ** (-2 * torch.arange(d // 2) / d)
    return module(x + torch.stack([angle.sin(), angle.cos()], -1).flatten(1))


def recurrent():
    x = lambda: {"x": floats(2, 3, 4, low=-1, high=1)}
    for name, module in [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]:
        one = lambda module, x: module(x)[0]
        case(name, module(4, 3, batch_first=True), x(), one)
        case(f"{name}_plain", module(4, 3, batch_first=True, bias=False), x(), one)
        case(f"{name}_deep", module(4, 2, 2, batch_first=True, bidirectional=True), x(), one)
        state = {"hidden": floats(4, 3, 2, low=-1, high=1)}
        if name == "lstm":
            state["cell"] = floats(4, 3, 2, low=-1, high=1)
        case(f"{name}_lengths", module(4, 2, 2, batch_first=True, bidirectional=True),
             {"x": floats(3, 4, 4, low=-1, high=1), "lengths": torch.tensor([2, 4, 1])} | state, packed)
    case("gru_before", ResetBefore(4, 3, batch_first=True), x())


def attention():
    class Attention(nn.MultiheadAttention):
        def forward(self, x, memory=None, mask=None):
            memory = x if memory is None else memory
            mask = None if mask is None else mask == 0
            return super().forward(x, memory, memory, attn_mask=mask, need_weights=False)[0]

    named = lambda module, **inputs: module(**inputs)
    case("attention", Attention(6, 2, batch_first=True), {"x": floats(2, 4, 6)})
    case("attention_plain", Attention(6, 3, bias=False, batch_first=True), {"x": floats(2, 4, 6)})
    case("attention_cross", Attention(6, 2, batch_first=True),
         {"x": floats(2, 3, 6), "memory": floats(2, 5, 6)}, named)
    mask = torch.tensor([[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
    case("attention_mask", Attention(6, 2, batch_first=True),
         {"x": floats(2, 3, 6), "memory": floats(2, 4, 6), "mask": mask}, named)
    case("attention_grouped", GroupedQueries(8, 4, 2, 100.0), {"x": floats(2, 5, 8)})
    case("positions", nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)),
         {"x": floats(2, 5, 6)}, sinusoidal)
    for name, first, activation in [("layer_behind", False, "relu"), ("layer_first", True, "gelu")]:
        layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation=activation,
                                           layer_norm_eps=EPS, batch_first=True, norm_first=first)
        case(name, layer, {"x": floats(2, 3, 6)})


def upfirdn2d(x, f, up, down, padding):
    """Resampling as NVIDIA's published reference does it."""
    (top, bottom), (left, right) = padding
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, [max(left, 0), max(right, 0), max(top, 0), max(bottom, 0)])
    x = x[:, :, max(-top, 0):x.shape[2] - max(-bottom, 0), max(-left, 0):x.shape[3] - max(-right, 0)]
    f = f.flip([0, 1])[None, None].repeat(c, 1, 1, 1)
    return F.conv2d(x, f, groups=c)[:, :, ::down, ::down]


class Modulated(nn.Module):
    """A convolution with a weight for each example, as the paper writes it."""

    def __init__(self, inputs, channels, window, width, demodulate=True):
        super().__init__()
        self.affine = nn.Linear(width, inputs)
        self.weight = nn.Parameter(torch.zeros(channels, inputs, window, window))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.demodulate = demodulate

    def forward(self, x, style):
        n, i, h, w = x.shape
        weight = self.weight[None] * self.affine(style)[:, None, :, None, None]
        if self.demodulate:
            weight = weight * (weight.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
        y = F.conv2d(x.reshape(1, n * i, h, w), weight.flatten(0, 1), padding="same", groups=n)
        return y.reshape(n, -1, h, w) + self.bias[:, None, None]


class WeightNorm(nn.Module):
    """nn.utils.weight_norm, from its formula: the second derivative by v of torch's own operation is
    not what differences of its first derivative give."""

    def __init__(self, inputs, channels, window):
        super().__init__()
        self.weight_g = nn.Parameter(torch.zeros(channels, 1, 1, 1))
        self.weight_v = nn.Parameter(torch.zeros(channels, inputs, window, window))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        length = self.weight_v.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
        return F.conv2d(x, self.weight_v * (self.weight_g / length), self.bias)


class Judge(nn.Module):
    """A small discriminator: a convolution, a resampling, the deviation of the batch, a score."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(4 * 4, 1)

    def forward(self, x):
        f = torch.tensor([1.0, 3, 3, 1])
        y = upfirdn2d(torch.tanh(self.conv(x)), f.outer(f) / 64, 1, 2, [(1, 1), (1, 1)])
        n, c, h, w = y.shape
        grouped = y.reshape(2, n // 2, c, h, w)
        deviation = ((grouped - grouped.mean(0)).square().mean(0) + 1e-8).sqrt().mean([1, 2, 3])
        y = torch.cat([y, deviation.repeat(2).reshape(n, 1, 1, 1).expand(n, 1, h, w)], 1)
        return self.fc(y.flatten(1))


def adversarial():
    slopes = lambda y, x: torch.autograd.grad(y, x, create_graph=True)[0]
    grad_of = lambda module, x: slopes(module(x.requires_grad_()).sum(), x)
    r1 = lambda module, x: grad_of(module, x).square().sum([1, 2, 3]).mean()
    penalty = lambda module, x: (grad_of(module, x).flatten(1).norm(dim=1) - 1).square().mean()

    def path_length(module, x, style, noise):
        y = module(x, style.requires_grad_())
        lengths = slopes((y * noise).sum() / math.sqrt(y.shape[2] * y.shape[3]), style).norm(dim=1)
        # The mean of lengths begins at 0.
        return (lengths - lengths.mean() * f32(0.01)).square().mean()

    both = lambda module, x, style: module(x, style)
    pictures = lambda: {"x": floats(4, 2, 4, 4)}
    styled = lambda: {"x": floats(2, 3, 4, 5), "style": floats(2, 4)}
    case("modulated", Modulated(3, 4, 3, 4), styled(), both)
    case("modulated_plain", Modulated(3, 2, 1, 4, False), styled(), both)
    case("judge", Judge(), pictures())
    case("judge_r1", Judge(), pictures(), r1, evaluate=False)
    case("judge_penalty", Judge(), pictures(), penalty, evaluate=False)
    long = Modulated(3, 2, 3, 4)
    long.p = nn.Module()
    long.p.register_buffer("path_length", torch.zeros(()))
    case("path_length", long, styled() | {"noise": floats(2, 2, 4, 5)}, path_length,
         evaluate=False)
    case("weight_norm", WeightNorm(3, 4, 3), {"x": floats(2, 3, 4, 5)})
    case("spectral_dense", nn.utils.spectral_norm(nn.Linear(5, 3)), {"x": floats(4, 5)})
    case("spectral_conv", nn.utils.spectral_norm(nn.Conv2d(3, 4, 2)), {"x": floats(2, 3, 4, 5)})


def whole():
    linear = nn.Linear
    case("mlp", nn.Sequential(linear(5, 8), nn.ReLU(), linear(8, 6), nn.ReLU(), linear(6, 3)),
         {"x": floats(4, 5)})
    case("autoencoder",
         nn.Sequential(linear(6, 5), nn.ReLU(), linear(5, 2), nn.ReLU(), linear(2, 5), nn.ReLU(),
                       linear(5, 6), nn.Sigmoid()), {"x": floats(4, 6, low=0, high=1)})
    case("resnet_small", ResNet(False, [1, 2], 3, 4), {"x": floats(4, 3, 6, 6)})
    case("resnet_large", ResNet(True, [1, 1], 3, 4), {"x": floats(4, 3, 16, 16)})
    case("lstm_classifier", LstmClassifier(4, 5, 3), {"x": floats(3, 6, 4)})
    case("transformer", Transformer(11, 7, 8, 12, 2, 2), {"x": integers(11, 2, 5)})


def behind(name, norm, x):
    """A normalization behind a layer that has parameters."""
    case(name, nn.Sequential(nn.Conv2d(2, 4, 1), norm), {"x": x})


def options():
    """Layers with options."""
    case("rnn_relu", nn.RNN(4, 3, nonlinearity="relu", batch_first=True), {"x": floats(2, 3, 4)},
         lambda module, x: module(x)[0])
    case("prelu", nn.PReLU(), {"x": floats(2, 3, 4)})
    case("prelu_channels", nn.PReLU(3), {"x": floats(2, 3, 4)})
    pictures = lambda: floats(3, 2, 3, 2)
    behind("batch_plain", nn.BatchNorm2d(4, eps=EPS, affine=False), pictures())
    behind("batch_cumulative", nn.BatchNorm2d(4, eps=EPS, momentum=None), pictures())
    behind("group_plain", nn.GroupNorm(2, 4, eps=EPS, affine=False), pictures())
    behind("instance_plain", nn.InstanceNorm2d(4, eps=EPS), pictures())
    behind("instance_running",
           nn.InstanceNorm2d(4, eps=EPS, affine=True, track_running_stats=True), pictures())
    behind("response", nn.LocalResponseNorm(3, f32(0.5), 0.75, 2.0), pictures())
    case("rms_axes", nn.Sequential(nn.Linear(4, 4), nn.RMSNorm((3, 4), eps=EPS)), {"x": floats(2, 3, 4)})
    mask = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 1]])
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu", layer_norm_eps=EPS,
                                       batch_first=True, norm_first=True)
    case("layer_mask", layer, {"x": floats(2, 3, 6), "mask": mask},
         lambda module, x, mask: module(x, src_mask=mask == 0))
    case("weight_norm_transposed", WeightNormTransposed(3, 4, 3), {"x": floats(2, 3, 4, 5)})
    case("spectral_transposed", nn.utils.spectral_norm(nn.ConvTranspose2d(3, 4, 2)),
         {"x": floats(2, 3, 4, 5)})
    case("modulated_double", ModulatedDouble(3, 4, 3, 4),
         {"x": floats(2, 3, 4, 5), "style": floats(2, 4)},
         lambda module, x, style: module(x, style))


class WeightNormTransposed(nn.Module):
    """nn.utils.weight_norm of a transposed convolution, from its formula: the first axis has a
    length for each channel of the input."""

    def __init__(self, inputs, channels, window):
        super().__init__()
        self.weight_g = nn.Parameter(torch.zeros(inputs, 1, 1, 1))
        self.weight_v = nn.Parameter(torch.zeros(inputs, channels, window, window))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        length = self.weight_v.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
        return F.conv_transpose2d(x, self.weight_v * (self.weight_g / length), self.bias)


class ModulatedDouble(Modulated):
    """The layer between two sizes: transposed with a stride of 2, then smoothed."""

    def forward(self, x, style):
        n, i, h, w = x.shape
        weight = self.weight[None] * self.affine(style)[:, None, :, None, None]
        weight = weight * (weight.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
        weight = weight.transpose(1, 2).flatten(0, 1)
        y = F.conv_transpose2d(x.reshape(1, n * i, h, w), weight, stride=2, groups=n)
        f = torch.tensor([1.0, 3, 3, 1])
        y = upfirdn2d(y.reshape(n, -1, *y.shape[2:]), f.outer(f) / 16, 1, 1, [(1, 1), (1, 1)])
        return y + self.bias[:, None, None]


def activated(x):
    return F.leaky_relu(x, 0.2) * f32(math.sqrt(2))


def doubled(x):
    f = torch.tensor([1.0, 3, 3, 1])
    return upfirdn2d(x, f.outer(f) / 16, 2, 1, [(2, 1), (2, 1)])


def halved(x):
    f = torch.tensor([1.0, 3, 3, 1])
    return upfirdn2d(x, f.outer(f) / 64, 1, 2, [(1, 1), (1, 1)])


def deviation(y, group):
    """One more channel, which says how much the pictures of a group differ."""
    n, c, h, w = y.shape
    grouped = y.reshape(group, n // group, c, h, w)
    deviation = ((grouped - grouped.mean(0)).square().mean(0) + 1e-8).sqrt().mean([1, 2, 3])
    return torch.cat([y, deviation.repeat(group).reshape(n, 1, 1, 1).expand(n, 1, h, w)], 1)


class Styled(Modulated):
    def __init__(self, channels):
        super().__init__(channels, channels, 3, channels)
        self.register_buffer("noise_strength", torch.zeros(()))

    def forward(self, x, style):
        return activated(super().forward(x, style))


class Generator(nn.Module):
    """Without noise: its strength is 0."""

    def __init__(self, size, colors, channels):
        super().__init__()
        self.size = size
        self.mapping = nn.Sequential(*[nn.Linear(channels, channels) for _ in range(4)])
        self.synthesis = nn.Module()
        self.synthesis.const = nn.Parameter(torch.zeros(channels, 4, 4))
        for side in self.sides():
            block = nn.Module()
            if side > 4:
                block.conv0 = Styled(channels)
            block.conv1 = Styled(channels)
            block.torgb = Modulated(channels, colors, 1, channels, False)
            setattr(self.synthesis, f"b{side}", block)

    def sides(self):
        return [4 * 2 ** k for k in range((self.size // 4).bit_length())]

    def forward(self, noise):
        style = noise * (noise.square().mean(-1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            style = activated(layer(style))
        x, picture = self.synthesis.const.expand(len(noise), -1, -1, -1), None
        for side in self.sides():
            block = getattr(self.synthesis, f"b{side}")
            if side > 4:
                x = block.conv0(doubled(x), style)
            x = block.conv1(x, style)
            added = block.torgb(x, style)
            picture = added if picture is None else doubled(picture) + added
        return picture


class Discriminator(nn.Module):
    def __init__(self, size, colors, channels):
        super().__init__()
        conv = lambda i, window, bias=True: nn.Conv2d(i, channels, window, padding="same", bias=bias)
        self.fromrgb = conv(colors, 1)
        self.sides = [4 * 2 ** k for k in range((size // 4).bit_length() - 1, 0, -1)]
        for side in self.sides:
            block = nn.Module()
            block.conv0, block.conv1 = conv(channels, 3), conv(channels, 3)
            block.skip = conv(channels, 1, False)
            setattr(self, f"b{side}", block)
        self.conv = conv(channels + 1, 3)
        self.fc, self.out = nn.Linear(channels * 16, channels), nn.Linear(channels, 1)

    def forward(self, x):
        y = activated(self.fromrgb(x))
        for side in self.sides:
            block = getattr(self, f"b{side}")
            inner = activated(block.conv1(halved(activated(block.conv0(y)))))
            y = (inner + block.skip(halved(y))) / f32(math.sqrt(2))
        y = activated(self.conv(deviation(y, 4 if len(y) % 4 == 0 else len(y))))
        return self.out(activated(self.fc(y.flatten(1))))


def larger():
    """Whole models that are too large for every derivative, or draw numbers of their own."""
    conv, linear = nn.Conv2d, nn.Linear
    case("cnn", nn.Sequential(conv(1, 32, 3), nn.ReLU(), conv(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                              nn.Flatten(), linear(64, 128), nn.ReLU(), linear(128, 3)),
         {"x": floats(2, 1, 6, 6)}, derive=False)
    case("generator", Generator(8, 3, 4), {"x": floats(2, 4)}, derive=False)
    case("discriminator", Discriminator(8, 3, 3), {"x": floats(4, 3, 8, 8)})
    resnet = ResNet(True, [2, 2, 2, 2], 64, 1000)
    parameters = [name for name, _ in resnet.named_parameters()]
    SHAPES.append({"name": "resnet18", "parameters": parameters, "shapes": {
        name: list(value.shape) for name, value in resnet.state_dict().items()}})


def conventions():
    """Layers whose defaults differ between libraries."""
    case("lstm_steps_first", nn.LSTM(4, 3, 2, bidirectional=True), {"x": floats(3, 2, 4)},
         lambda module, x: module(x)[0])
    case("layer_norm_scale", nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6, eps=EPS, bias=False)),
         {"x": floats(3, 4)})
    # PyTorch's default is the machine epsilon of the element type, here that of f32.
    case("rms_default", nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6, eps=2.0**-23)),
         {"x": floats(3, 4)})


def every():
    NUMBERS.seed(17)
    (HERE / "models").mkdir(exist_ok=True)
    recurrent()
    attention()
    whole()
    adversarial()
    options()
    larger()
    conventions()
    return CASES
