/** What an architecture file provides. */
import type { Value } from '../graph/graph.ts'
import type { BlockContext } from './blocks/block-context.ts'
import type { ConfigSource } from './config/fields.ts'
import type { ModelConfig } from './model-config.ts'

export interface Architecture {
  /** Names in `config.json`'s `architectures`. */
  readonly names: readonly string[]
  /** The family's `config.json`; refuses what would change results and is not implemented. */
  configure(source: ConfigSource): ModelConfig
  /** ids [B, S] → hidden states [B, S, H] before the final norm. */
  hidden(ctx: BlockContext, ids: Value): Value
  finalNorm(ctx: BlockContext, x: Value): Value
  /** Normed hidden states [..., H] → logits [..., V]. */
  logits(ctx: BlockContext, x: Value): Value
  /** Every tensor of the checkpoint: name → shape. */
  weights(config: ModelConfig): Map<string, readonly number[]>
  /** The matrices with one row per token of the vocabulary. */
  readonly vocabularyWeights: readonly string[]
  /** Names of the linear layers within `model.layers.i.`, which adapters may target. */
  readonly linearLayers: readonly string[]
}
