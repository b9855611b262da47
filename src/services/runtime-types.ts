/**
 * What a loaded model offers to its callers: text in, text out. Implemented in the process that owns the
 * model (`model-runtime.ts`) and by the client of an engine process (`engine-client.ts`).
 * Everything here but the interface itself can be sent between processes.
 */
import type { AttributeSpec } from '../../schemas/attributes.ts'
import type { Calibration } from '../../schemas/calibration.ts'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import type { Message } from '../../schemas/records.ts'
import type { KvBudget, PromptProgress } from '../engine/index.ts'
import type { Constraint } from '../grammar/index.ts'
import type { Guidance } from '../labels/steering-terms.ts'

export interface ModelInfo {
  /** The name that requests use. */
  id: string
  kind: 'language-model' | 'attribute-model'
  /** What steers a language model, or what an attribute model predicts; label-line order. */
  attributes: AttributeSpec[]
  /** Prompt and reply together, in tokens. */
  contextLength: number
  /** How the memory for keys and values is divided, of a language model. */
  kv?: KvBudget
  /** Seconds since 1970. */
  created: number
  /** How conversations become prompts; `none` when the checkpoint has no chat template. */
  template: 'chat' | 'nemo' | 'none'
  /** From scores to ratings, of an attribute model that was calibrated. */
  calibration?: Calibration
  /** Label combinations seen in training. */
  combinations?: ModelManifest['combinations']
  /** Named settings that it brings; `presets.ts` adds some. */
  presets?: ModelManifest['presets']
  /** What `generation_config.json` asks for; requests that say nothing get it. */
  sampling: { temperature?: number; topP?: number; topK?: number }
  /** Of an adapter: the served model that it belongs to. */
  parent?: string
  /** Of a published model. */
  version?: number
  /** The aliases of this version. */
  aliases?: readonly string[]
  /** The attribute model that labelled the training data, where that is known. */
  attributeModel?: string
}

/** With attributes, a text or token ids end where a reply begins, and the label line is put behind them. */
export type Prompt =
  | {
      messages: Message[]
      /** Attributes left out take the declared default, unless `onlyGiven`. */
      attributes: Record<string, number>
      /** Put the given attributes alone into the label line; with none, there is no line. */
      onlyGiven?: boolean
    }
  | { text: string; attributes?: Record<string, number> }
  | { tokens: number[]; attributes?: Record<string, number> }

export interface TextRequest {
  prompt: Prompt
  /** Unset: the rest of the context. Larger than that: cut to it. 0: run the prompt only. */
  maxTokens?: number
  temperature: number
  topP?: number
  topK?: number
  minP?: number
  presencePenalty?: number
  frequencyPenalty?: number
  repetitionPenalty?: number
  seed?: number
  /** What there is of the reply: it stands after the prompt, is not sent again, and counts as what was written. */
  reply?: ReplySoFar
  /** Texts that end the reply and are not part of it. */
  stop?: string[]
  /** Report log-probabilities with this many alternatives. */
  logprobs?: number
  /** Report the prompt's text, and with `logprobs` its tokens' log-probabilities. */
  echo?: boolean
  ignoreEos?: boolean
  /** Report how far the prompt is. */
  progress?: boolean
  /** Report the prompt's token ids. */
  returnTokenIds?: boolean
  logitBias?: Record<number, number>
  /** What the whole reply must be. */
  constraint?: Constraint
  /** Whose request it is: waiting requests are served fair across owners. */
  owner?: string
  /** Takes the place of an earlier request of the same session, which ends with CANCELLED. */
  session?: string
  /** −10 to 10, lower numbers first; 0 unless given. */
  priority?: number
  adapter?: AdapterRef
  /** Takes the reply a row for each label line that goes into it. Fails BAD_REQUEST where nothing steers the prompt. */
  guidance?: Guidance
}

/** The beginning of a reply, as the deltas brought it or as somebody put it. */
export type ReplySoFar =
  | {
      tokens: number[]
      /** Its length as it was sent: some of the tokens' text may have waited to be settled. */
      characters: number
      /** Go on from the last token boundary within so many characters. */
      keep?: number
    }
  | { text: string }

/** A PEFT folder; `key` is another when its content is. */
export interface AdapterRef {
  readonly key: string
  readonly dir: string
}

export interface TokenText {
  token: number
  /** A part of a character shows as U+FFFD. */
  text: string
}

/** Natural logarithms, of the model's distribution before temperature and cuts. */
export interface TextLogprob extends TokenText {
  /** null for the first token of a prompt. */
  logprob: number | null
  top: (TokenText & { logprob: number })[]
}

export interface TextUsage {
  promptTokens: number
  /** Without the token that ended the reply. */
  completionTokens: number
  /** Prompt tokens whose keys and values were in the cache. */
  cachedTokens: number
}

export type TextEvent =
  /** With `progress`, before `start`. */
  | ({ type: 'progress' } & PromptProgress)
  | {
      type: 'start'
      promptTokens: number
      cachedTokens: number
      /** With `echo`. */
      promptText?: string
      promptLogprobs?: TextLogprob[]
      /** With `returnTokenIds`. */
      promptTokenIds?: number[]
      /** Of a reply that is taken up again: where it goes on from. The prompt's tokens include its. */
      reply?: { tokens: number[]; text: string }
    }
  | {
      type: 'delta'
      text: string
      /** The tokens that end in this text; those of a stop string are never shown. */
      tokens: number[]
      /** One per token. */
      logprobs?: TextLogprob[]
    }
  | { type: 'done'; finishReason: 'stop' | 'length'; usage: TextUsage }

export interface EncodeOptions {
  addSpecialTokens?: boolean
}

export interface EncodedPrompt {
  tokens: number[]
  /** What was tokenised; of token ids, what they say. */
  text: string
}

/** A conversation, or the whole text as the attribute model reads it. */
export type PredictInput = Message[] | { text: string }

export interface PredictOptions {
  /** The scores as they are, without the calibration. */
  raw?: boolean
}

export interface EmbedOptions {
  /** Of all tokens, or of the last one; `mean` unless given. */
  pooling?: 'mean' | 'last'
}

export type LikelihoodOptions = Pick<TextRequest, 'owner' | 'priority' | 'adapter'>

export interface Likelihoods {
  /** Of each text as the whole reply, its end included; natural logarithms. */
  logprobs: number[]
  promptTokens: number
  /** Prompt tokens whose keys and values were in the cache. */
  cachedTokens: number
}

export type EmbeddingInput = { text: string } | { tokens: number[] }

export interface Embeddings {
  /** [H] each, of length 1. */
  vectors: Float32Array[]
  /** Tokens of all inputs. */
  tokens: number
}

export interface DecodedTokens {
  text: string
  /** The text of each token; a part of a character shows as U+FFFD. */
  pieces: string[]
}

export interface ModelRuntime {
  readonly info: ModelInfo
  /** False while the model cannot answer, such as during a restart. */
  readonly ready: boolean
  /**
   * Streams a reply: `start`, `delta`…, `done`. The iteration fails with CONTEXT_TOO_LONG, ATTRIBUTE_UNKNOWN,
   * ATTRIBUTE_OUT_OF_RANGE, BAD_REQUEST or MODEL_NOT_GENERATIVE before `start`, with CANCELLED after an
   * abort. Leaving the iteration early cancels the reply.
   */
  generate(request: TextRequest, signal?: AbortSignal): AsyncIterable<TextEvent>
  /**
   * The attribute values of conversations that end with an assistant message, in order, calibrated where the model is;
   * not cut to the range.
   * Fails with MODEL_NOT_PREDICTIVE, CONTEXT_TOO_LONG or BAD_REQUEST.
   */
  predict(
    inputs: PredictInput[],
    signal?: AbortSignal,
    options?: PredictOptions,
  ): Promise<Record<string, number>[]>
  /**
   * How likely the model is to reply with each of the texts. Fails as `generate` does, and BAD_REQUEST for a text without
   * tokens.
   */
  likelihoods(
    prompt: Prompt,
    texts: string[],
    options?: LikelihoodOptions,
    signal?: AbortSignal,
  ): Promise<Likelihoods>
  /** Texts as vectors: the last layer's normed states. Fails CONTEXT_TOO_LONG, BAD_REQUEST. */
  embed(inputs: EmbeddingInput[], options?: EmbedOptions, signal?: AbortSignal): Promise<Embeddings>
  /**
   * The length of a prompt, without running the model; it may be longer than the context.
   * Fails with ATTRIBUTE_UNKNOWN, ATTRIBUTE_OUT_OF_RANGE or BAD_TEMPLATE.
   */
  countTokens(prompt: Prompt): Promise<number>
  /**
   * A prompt as the model would see it, without running it; `addSpecialTokens: false` leaves out what the tokenizer
   * puts around a text. Fails as `countTokens` does.
   */
  encode(prompt: Prompt, options?: EncodeOptions): Promise<EncodedPrompt>
  /** Special tokens are shown; ids without a token give no text. */
  decode(tokens: readonly number[]): Promise<DecodedTokens>
  /**
   * Keeps the model loaded, should it be replaced, until the function that comes back is called: for requests that ask
   * more than once. Fails ENGINE_STARTING when the model was replaced and put away already.
   */
  hold?(): () => void
  dispose(): Promise<void>
}
