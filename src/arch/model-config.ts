/** What the blocks know of a model: the checked content of its `config.json`, whatever the family calls it. */

/**
 * How the angular frequencies θ^(−2i/dim) are changed. `linear`: divided. `llama3`: the stretch of
 * Llama 3.1. `yarn`: Peng et al. 2023. `longrope`: a divisor for every pair of channels, one list up
 * to the original context and one beyond it (Ding et al. 2024). `attentionFactor` multiplies cos and sin.
 */
export type RopeScaling =
  | { readonly kind: 'default' }
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalMaxPositions: number
    }
  | {
      readonly kind: 'yarn'
      readonly factor: number
      readonly betaFast: number
      readonly betaSlow: number
      readonly truncate: boolean
      readonly originalMaxPositions: number
      readonly attentionFactor: number
    }
  | {
      readonly kind: 'longrope'
      readonly shortFactors: readonly number[]
      readonly longFactors: readonly number[]
      readonly originalMaxPositions: number
      readonly attentionFactor: number
    }

/** Rotary positions of the first `dim` channels of a head. */
export interface Rope {
  readonly theta: number
  readonly dim: number
  readonly scaling: RopeScaling
}

/** `rope` null: the layer knows no positions. `window` W: a token sees itself and W − 1 before it. */
export interface LayerAttention {
  readonly rope: Rope | null
  readonly window: number | null
}

export type Activation = 'silu' | 'gelu_tanh'

/** Matrices stored as integers in blocks (`weights/block-layout.ts`). */
export interface Quantization {
  readonly bits: 4 | 8
  /** Of the matrices with a row for every token: the embedding and the output head. */
  readonly vocabularyBits: 4 | 8
}

export interface ModelConfig {
  readonly architecture: string
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly maxPositions: number
  readonly normEps: number
  /** Added to the weights of every norm: 1 where the checkpoint stores w − 1. */
  readonly normOffset: number
  readonly tiedEmbeddings: boolean
  /** Multiplies the embeddings. */
  readonly embeddingScale: number
  readonly qkvBias: boolean
  readonly outputBias: boolean
  readonly mlpBias: boolean
  readonly activation: Activation
  /** Multiplies q·k. */
  readonly attentionScale: number
  /** c·tanh(x/c) over the scores of attention, and over the logits. */
  readonly attentionSoftcap: number | null
  readonly logitSoftcap: number | null
  /** One entry a layer. Layers with the same positions share the `Rope` object. */
  readonly attention: readonly LayerAttention[]
  /** Null: every weight is a float. */
  readonly quantization: Quantization | null
}

/**
 * The longest context whose rotary tables are those of short texts: where LongRoPE would change over
 * to its other factors, or all positions of the model.
 */
export function uniformPositions(config: ModelConfig): number {
  const limits = config.attention.map(({ rope }) =>
    rope?.scaling.kind === 'longrope' ? rope.scaling.originalMaxPositions : config.maxPositions,
  )
  return Math.min(config.maxPositions, ...limits)
}
