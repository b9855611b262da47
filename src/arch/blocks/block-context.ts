/** What every block needs: the builder, the model's sizes, and where its weights come from. */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { ModelConfig } from '../model-config.ts'

/** Low-rank update of one linear layer: y += scale · (x Aᵀ) Bᵀ. (Hu et al. 2021) */
export interface LoraPair {
  readonly a: Value
  readonly b: Value
  readonly scale: number
}

/** Attention over projected q [B,S,N·D], k and v [B,S,Nkv·D] → [B,S,N·D]; one per graph kind. */
export type AttentionCore = (layer: number, q: Value, k: Value, v: Value) => Value

/**
 * Weights of a serving graph as they lie in the checkpoint's files: some as integers, some next to one
 * another. Each answer is undefined where the plain tensors must do.
 */
export interface StoredMatrices {
  /** x Wᵀ (+ bias), where W is the named layers' matrices below one another. Names are without `.weight`. */
  product(x: Value, layers: readonly string[], bias: boolean): Value | undefined
  /** Rows of the tensor `name` at `ids`. */
  rows(ids: Value, name: string): Value | undefined
}

export interface BlockContext {
  readonly b: Builder
  readonly config: ModelConfig
  /** The weight of that checkpoint name, in the builder's float type. */
  weight(name: string, shape: readonly number[]): Value
  /** In serving graphs: matrices as the checkpoint's files hold them. */
  readonly matrices?: StoredMatrices
  /** The adapter of a linear layer, by the layer's checkpoint name without `.weight`. */
  lora?(name: string): LoraPair | undefined
  /** What adapters add to a linear layer's output [B, S, out] where each row has its own (`row-adapters.ts`). */
  rowUpdate?(name: string, x: Value, out: number): Value
  readonly attention: AttentionCore
}

export type NamedShape = readonly [name: string, shape: readonly number[]]

/** A part of a model [B, S, H] → [B, S, H] with the tensors it reads. */
export interface Block {
  /** `name` is where the block's tensors stand in the checkpoint. */
  apply(ctx: BlockContext, x: Value, at: { readonly layer: number; readonly name: string }): Value
  weights(config: ModelConfig, name: string): NamedShape[]
  /** Names of the linear layers below `name`. */
  readonly linears: readonly string[]
}
