/** Messages between the server and an engine process. Errors travel as their code and detail. */
import { SteerError, catalogue, type ErrorCode } from '../errors.ts'
import type { LoadOptions } from './model-runtime.ts'
import type {
  DecodedTokens,
  EmbedOptions,
  EmbeddingInput,
  Embeddings,
  EncodeOptions,
  EncodedPrompt,
  LikelihoodOptions,
  Likelihoods,
  ModelInfo,
  PredictInput,
  PredictOptions,
  Prompt,
  TextEvent,
  TextRequest,
} from './runtime-types.ts'

/** `id` names a request; the client counts them up. */
export type ToEngine =
  | { type: 'load'; dir: string; options: LoadOptions }
  | { type: 'generate'; id: number; request: TextRequest }
  | { type: 'predict'; id: number; inputs: PredictInput[]; options?: PredictOptions }
  | { type: 'rate'; id: number; prompt: Prompt; texts: string[]; options?: LikelihoodOptions }
  | { type: 'embed'; id: number; inputs: EmbeddingInput[]; options?: EmbedOptions }
  | { type: 'count'; id: number; prompt: Prompt }
  | { type: 'encode'; id: number; prompt: Prompt; options?: EncodeOptions }
  | { type: 'decode'; id: number; tokens: readonly number[] }
  | { type: 'cancel'; id: number }
  /** The client does not keep up with the events of a reply: no more until `release`. */
  | { type: 'hold'; id: number }
  | { type: 'release'; id: number }
  | { type: 'shutdown' }

/** What the engine has to say of one step, in order: a message costs more than what it carries. */
export type Sent = FromEngine | { type: 'batch'; messages: FromEngine[] }

export type FromEngine =
  /** The process listens; `load` may be sent. */
  | { type: 'hello' }
  | { type: 'ready'; info: ModelInfo }
  /** The model cannot be loaded; the process ends. */
  | { type: 'failed'; error: SentError }
  | { type: 'event'; id: number; event: TextEvent }
  | { type: 'predicted'; id: number; values: Record<string, number>[] }
  | { type: 'rated'; id: number; likelihoods: Likelihoods }
  | { type: 'embedded'; id: number; embeddings: Embeddings }
  | { type: 'counted'; id: number; tokens: number }
  | { type: 'encoded'; id: number; encoded: EncodedPrompt }
  | { type: 'decoded'; id: number; decoded: DecodedTokens }
  | { type: 'error'; id: number; error: SentError }
  /** No more events for this request. */
  | { type: 'end'; id: number }

export interface SentError {
  code: ErrorCode
  detail: string
  param: string | null
  retryAfterSeconds?: number
}

/** An error that is not ours becomes INTERNAL; the stack goes to the engine's own stderr. */
export function packError(error: unknown): SentError {
  if (error instanceof SteerError) {
    const { code, detail, param, retryAfterSeconds } = error
    return { code, detail, param, ...(retryAfterSeconds !== null && { retryAfterSeconds }) }
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'INTERNAL', detail: text, param: null }
}

export function unpackError(error: SentError): SteerError {
  const code = Object.hasOwn(catalogue, error.code) ? error.code : 'INTERNAL'
  const { detail, param, retryAfterSeconds } = error
  return new SteerError(code, detail, { param, retryAfterSeconds })
}
