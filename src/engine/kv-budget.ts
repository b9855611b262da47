/**
 * How the memory for keys and values is divided: a quarter is the prefix cache, the rest are slots of equal length.
 *
 * What was asked for is kept, the rest follows. Context length: the checkpoint's, at most `DEFAULT_CONTEXT_LENGTH`.
 * Slots: as many as fit, at most `DEFAULT_SLOTS`. Where not one slot fits, or not all that were asked for, the context
 * is cut to what does, but not below `MIN_CONTEXT_LENGTH`.
 */

import { uniformPositions, type ModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { formatByteSize } from '../util/byte-size.ts'

export interface KvRequest {
  /** Keys and values together, prefix cache included; unset: what the other two need. */
  memoryBytes?: number
  slots?: number
  contextLength?: number
}

export interface KvBudget {
  readonly slots: number
  /** Tokens of one slot. */
  readonly contextLength: number
  readonly bytesPerToken: number
  readonly slotBytes: number
  readonly prefixBytes: number
}

/** Memory grows with it: checkpoints that allow more get more only when asked to. */
export const DEFAULT_CONTEXT_LENGTH = 4096
export const DEFAULT_SLOTS = 8
/** Less is of no use for a conversation. */
export const MIN_CONTEXT_LENGTH = 256

/** The prefix cache's part of the whole. */
const PREFIX_SHARE = 0.25

/** Fails BAD_ARGUMENT when it cannot be done. */
export function planKvMemory(
  config: ModelConfig,
  bytesPerToken: number,
  asked: KvRequest,
): KvBudget {
  const wanted = contextLengthOf(config, asked.contextLength)
  const { memoryBytes } = asked
  if (memoryBytes === undefined) {
    return budget({ slots: asked.slots ?? DEFAULT_SLOTS, contextLength: wanted, bytesPerToken })
  }
  const room = Math.floor((memoryBytes * (1 - PREFIX_SHARE)) / bytesPerToken)
  const slots = asked.slots ?? Math.max(1, Math.min(DEFAULT_SLOTS, Math.floor(room / wanted)))
  const contextLength = Math.min(wanted, Math.floor(room / slots))
  const least = asked.contextLength ?? Math.min(wanted, MIN_CONTEXT_LENGTH)
  if (contextLength < least) refuse({ slots, least, bytesPerToken, memoryBytes })
  const prefixBytes = memoryBytes - slots * contextLength * bytesPerToken
  return { ...budget({ slots, contextLength, bytesPerToken }), prefixBytes: Math.min(prefixBytes, Math.floor(memoryBytes * PREFIX_SHARE)) } // prettier-ignore
}

/** One line for the log. */
export function describeKvBudget({
  slots,
  contextLength,
  slotBytes,
  prefixBytes,
}: KvBudget): string {
  const memory = `${slots} slots of ${contextLength} tokens in ${formatByteSize(slotBytes)}`
  return `${memory}, prefix cache of ${formatByteSize(prefixBytes)}`
}

function contextLengthOf(config: ModelConfig, asked: number | undefined): number {
  const { maxPositions } = config
  if (asked === undefined) return Math.min(uniformPositions(config), DEFAULT_CONTEXT_LENGTH)
  if (Number.isInteger(asked) && asked >= 1 && asked <= maxPositions) return asked
  return fail('BAD_ARGUMENT', `context length: expected 1 to ${maxPositions}, got ${asked}`)
}

function budget(size: Pick<KvBudget, 'slots' | 'contextLength' | 'bytesPerToken'>): KvBudget {
  const slotBytes = size.slots * size.contextLength * size.bytesPerToken
  const prefixBytes = Math.floor((slotBytes * PREFIX_SHARE) / (1 - PREFIX_SHARE))
  return { ...size, slotBytes, prefixBytes }
}

function refuse(found: {
  slots: number
  least: number
  bytesPerToken: number
  memoryBytes: number
}): never {
  const { slots, least, bytesPerToken, memoryBytes } = found
  const needed = Math.ceil((slots * least * bytesPerToken) / (1 - PREFIX_SHARE))
  const what = `${slots} ${slots === 1 ? 'slot' : 'slots'} of ${least} tokens`
  return fail(
    'BAD_ARGUMENT',
    `--kv-memory: ${what} and the prefix cache need ${formatByteSize(needed)} (${needed} bytes), ` +
      `got ${formatByteSize(memoryBytes)}`,
    { param: '--kv-memory' },
  )
}
