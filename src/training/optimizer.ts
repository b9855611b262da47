/**
 * Global-norm clipping and AdamW as graph nodes. (Pascanu et al. 2013; Loshchilov & Hutter 2019,
 * in PyTorch's order of operations.) The step's numbers come in as scalars, so one graph serves
 * every step of every schedule.
 */
import type { Value } from '../graph/graph.ts'
import type { Builder } from '../ops/builder.ts'

export interface AdamOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Largest gradient norm; 0 switches clipping off. */
  readonly clipNorm: number
}

/** Float32 scalars of one step; see `stepScalars`. */
export interface StepInputs {
  readonly stepSize: Value
  readonly secondMomentScale: Value
  readonly weightKeep: Value
}

/** Inputs of the step numbers. Names are those that `stepScalars` fills. */
export function stepInputs(b: Builder): StepInputs {
  return {
    stepSize: b.input('step_size', b.float, []),
    secondMomentScale: b.input('second_moment_scale', b.float, []),
    weightKeep: b.input('weight_keep', b.float, []),
  }
}

/** The numbers of step t (from 1): lr/(1−β₁ᵗ), 1/√(1−β₂ᵗ), 1 − lr·λ. */
export function stepScalars(
  step: number,
  lr: number,
  options: { readonly beta1: number; readonly beta2: number; readonly weightDecay: number },
): { step_size: number; second_moment_scale: number; weight_keep: number } {
  return {
    step_size: lr / (1 - options.beta1 ** step),
    second_moment_scale: 1 / Math.sqrt(1 - options.beta2 ** step),
    weight_keep: 1 - lr * options.weightDecay,
  }
}

/** ‖g‖₂ over all tensors together, shape []. */
export function globalNorm(b: Builder, grads: readonly Value[]): Value {
  const squares = grads.map((g) => {
    const axes = g.shape.map((_, axis) => axis)
    return b.op('ReduceSum', [b.op('Mul', [g, g], {})], { axes, keepdims: false })
  })
  return b.op('Sqrt', [squares.reduce((sum, square) => b.op('Add', [sum, square], {}))], {})
}

/**
 * min(1, clip / (norm + 1e-6)), as `torch.nn.utils.clip_grad_norm_`. Without clipping it is
 * min(1, 1 + norm) = 1, so that the updates still wait for the norm; see `adamW`.
 */
export function clipScale(b: Builder, norm: Value, clipNorm: number): Value {
  const one = b.scalar(1)
  if (clipNorm === 0) return b.op('Min', [one, b.op('Add', [norm, one], {})], {})
  const ratio = b.op('Div', [b.scalar(clipNorm), b.op('Add', [norm, b.scalar(1e-6)], {})], {})
  return b.op('Min', [one, ratio], {})
}

/**
 * One AdamW update. Every old state is read once and every new one depends on the scale (so on the
 * norm, so on all reads of the parameters), which makes it safe to bind new states over old ones.
 */
export function adamW(
  b: Builder,
  state: { readonly param: Value; readonly m: Value; readonly v: Value },
  grad: Value,
  options: AdamOptions & { readonly inputs: StepInputs; readonly scale: Value },
): { param: Value; m: Value; v: Value } {
  const { beta1, beta2, epsilon, inputs, scale } = options
  const times = (x: Value, y: Value) => b.op('Mul', [x, y], {})
  const plus = (x: Value, y: Value) => b.op('Add', [x, y], {})
  const g = times(grad, scale)
  const m = plus(times(state.m, b.scalar(beta1)), times(g, b.scalar(1 - beta1)))
  const v = plus(times(state.v, b.scalar(beta2)), times(times(g, g), b.scalar(1 - beta2)))
  const root = times(b.op('Sqrt', [v], {}), inputs.secondMomentScale)
  const denominator = plus(root, b.scalar(epsilon))
  const update = b.op('Div', [times(m, inputs.stepSize), denominator], {})
  return { param: b.op('Sub', [times(state.param, inputs.weightKeep), update], {}), m, v }
}
