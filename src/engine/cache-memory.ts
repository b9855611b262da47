/** Where keys and values lie, as the decode graph's runs see it. */
import type { ModelConfig } from '../arch/index.ts'
import type { DeviceTensor, Tensor } from '../ort/index.ts'
import type { KvBudget } from './kv-budget.ts'

export type CacheSize = Pick<KvBudget, 'slots' | 'contextLength'>

/** One layer's part for a run, each [rows, Nkv, C, D]. */
export interface LayerTensors {
  readonly key: Tensor | DeviceTensor
  readonly value: Tensor | DeviceTensor
}

export interface CacheMemory {
  /** Slots that one run can cover. */
  readonly maxRows: number
  /** Past and present of slots first … first + rows − 1, layer by layer. */
  tensors(first: number, rows: number): LayerTensors[]
  /** Copies positions [0, count) of one slot to another, at the latest in `settleCopies`. */
  copyPrefix(from: number, to: number, count: number): void
  /** Before a run that reads what was copied. */
  settleCopies(): Promise<void>
  /** Copies positions start … out of a slot: `into` is [layers, 2, Nkv, tokens, D]. */
  readBlock(slot: number, start: number, into: Float32Array): void
  writeBlock(slot: number, start: number, from: Float32Array): void
  dispose(): void
}

/** Keys and values of one token, all layers. */
export const cacheFloatsPerToken = (config: ModelConfig): number =>
  2 * config.layers * config.kvHeads * config.headDim
