/** What the generating service takes and gives; `generator.ts` does it. */
import type { SteeringReport, SteeringWarning } from '../../schemas/common.ts'
import type { Caller } from './keys.ts'
import type { Prompt, TextEvent, TextLogprob, TextRequest, TextUsage } from './runtime-types.ts'

export interface Verification {
  /** Replies at most, at least 1. */
  attempts: number
  /** Stop early when every attribute is this near, in levels. */
  tolerance: number
}

export interface GenerationRequest {
  model: string
  /** Each is answered `n` times; choice = index of the prompt × n + index of the reply. */
  prompts: Prompt[]
  n: number
  /** An unset temperature, topP or topK takes the model's own default. */
  options: Omit<TextRequest, 'prompt' | 'temperature'> & { temperature?: number }
  /** Report achieved values of chat replies, where an attribute model is served. */
  measure: boolean
  verify?: Verification
  /** γ; see `labels/steering-terms.ts`. Unset: 1, or with `avoid` the default of `steering-plan.ts`. */
  guidance?: number
  /** Values to move away from. */
  avoid?: Record<string, number>
  /** Settings of the model by name; what the request gives itself comes first. */
  preset?: string
  /** Whose tokens these are. */
  caller?: Caller | null
  /** Where a request without a caller comes from. */
  address?: string
}

type InChoice<T> = T extends unknown ? T & { choice: number } : never

export type GenerationEvent =
  | (InChoice<TextEvent & { type: 'start' }> & {
      /** The values the reply is written for, defaults included. */
      requested?: Record<string, number>
      warnings?: readonly SteeringWarning[]
    })
  | InChoice<TextEvent & { type: 'delta' | 'progress' }>
  | {
      type: 'finish'
      choice: number
      finishReason: 'stop' | 'length'
      usage: TextUsage
      /** Absent when the model has no attributes or the prompt is no conversation. */
      steering?: SteeringReport
    }
  /** Always last. */
  | { type: 'usage'; usage: TextUsage }

export interface Choice {
  text: string
  tokens: number[]
  logprobs?: TextLogprob[]
  promptText?: string
  promptLogprobs?: TextLogprob[]
  promptTokenIds?: number[]
  finishReason: 'stop' | 'length'
  usage: TextUsage
  steering?: SteeringReport
}

export interface Generator {
  /**
   * Streams the choices side by side. Fails before the first event for everything that is wrong with the
   * request; with CANCELLED after an abort. A verified choice comes as one delta when it is made.
   */
  stream(request: GenerationRequest, signal?: AbortSignal): AsyncIterable<GenerationEvent>
  /** The finished choices. `usage` counts replies that `verify` threw away, too. */
  complete(
    request: GenerationRequest,
    signal?: AbortSignal,
  ): Promise<{ choices: Choice[]; usage: TextUsage }>
}
