/**
 * A model in this process: text in, text out over an engine or a scorer. Owns the way from a request to
 * tokens (template, attribute checks and defaults, length checks) and back. Knows nothing of HTTP.
 */
import type { AttributeSet, AttributeValues } from '../../schemas/attributes.ts'
import type { PromptTemplate } from '../datasets/prompt-template.ts'
import type { Engine, EngineEvent, EngineRequest, LazyEmbedder, Scorer } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { calibratedValues } from '../labels/calibration.ts'
import { validateAttributes } from '../labels/label-codec.ts'
import { steeringTerms } from '../labels/steering-terms.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { AdapterCache } from './adapter-cache.ts'
import type { Constraints } from './constraints.ts'
import type {
  AdapterRef,
  DecodedTokens,
  EmbedOptions,
  EmbeddingInput,
  Embeddings,
  EncodeOptions,
  EncodedPrompt,
  LikelihoodOptions,
  Likelihoods,
  ModelInfo,
  ModelRuntime,
  PredictInput,
  PredictOptions,
  Prompt,
  TextEvent,
  TextRequest,
} from './runtime-types.ts'
import { takeUpReply, type TakenUp } from './reply-so-far.ts'
import { rateReplies } from './rate-replies.ts'
import { describeLogprob, generateText, textOfToken } from './text-generation.ts'

export interface RuntimeParts {
  info: ModelInfo
  tokenizer: Tokenizer
  /** null: the model takes raw prompts only. */
  template: Pick<
    PromptTemplate,
    'promptTokens' | 'promptText' | 'labelTokens' | 'scoringTokens' | 'stopTokens' | 'stopStrings'
  > | null
  engine?: Pick<Engine, 'generate' | 'dispose'>
  /** Of the engine; without it, requests with an adapter fail. */
  adapters?: AdapterCache
  /** Of the engine; without it, constrained requests fail. */
  constraints?: Constraints
  scorer?: Pick<Scorer, 'score' | 'dispose'>
  /** Loaded when it is first asked for. */
  embedder?: LazyEmbedder
}

/** Takes over the parts: disposing the runtime disposes them. */
export function createModelRuntime(parts: RuntimeParts): ModelRuntime {
  const { info } = parts
  return {
    info,
    ready: true,
    generate: (request, signal) => generate(parts, request, signal),
    likelihoods: (prompt, texts, likelihoodOptions, signal) =>
      likelihoods(parts, { prompt, texts, options: likelihoodOptions }, signal),
    embed: (inputs, embedOptions, signal) => embed(parts, inputs, embedOptions, signal),
    predict: (inputs, signal, predictOptions) => predict(parts, inputs, signal, predictOptions),
    countTokens: async (prompt) => promptTokens(parts, prompt).length,
    encode: async (prompt, encodeOptions) => encode(parts, prompt, encodeOptions),
    decode: async (tokens) => decode(parts.tokenizer, tokens),
    async dispose() {
      const { engine, scorer, embedder } = parts
      await Promise.all([engine?.dispose(), scorer?.dispose(), embedder?.dispose()])
    },
  }
}

/** The values a reply is written for: the given ones, the rest at their defaults. Fails ATTRIBUTE_UNKNOWN, ATTRIBUTE_OUT_OF_RANGE. */
export function withDefaults(set: AttributeSet, given: AttributeValues): Record<string, number> {
  validateAttributes(set, given)
  return Object.fromEntries(
    set.map((spec) => [
      spec.name,
      Object.hasOwn(given, spec.name) ? given[spec.name]! : spec.default,
    ]),
  )
}

async function* generate(
  parts: RuntimeParts,
  request: TextRequest,
  signal?: AbortSignal,
): AsyncGenerator<TextEvent> {
  const { engine, tokenizer, info } = parts
  if (!engine) {
    return fail('MODEL_NOT_GENERATIVE', `"${info.id}" predicts attributes`, { param: 'model' })
  }
  const prompt = preparePrompt(parts, request)
  const stops = [...prompt.stopStrings, ...(request.stop ?? [])]
  const reply = request.reply && takeUpReply(tokenizer, request.reply, stops)
  const checked = engineRequest(request, withReply(prompt, reply), info)
  const mask = maskOf(parts, request, prompt, reply?.tokens)
  const adapter = request.adapter && (await loadedAdapter(parts, request.adapter))
  try {
    const events = engine.generate({ ...checked, ...mask, ...adapter?.choice }, signal)
    yield* generateText(events, {
      tokenizer,
      stops,
      context: 'messages' in request.prompt ? [] : prompt.tokens,
      reply,
      start: (event) => ({
        ...describeStart(tokenizer, request, prompt.tokens, event),
        ...(reply && { reply: { tokens: reply.tokens, text: reply.text } }),
      }),
    })
  } finally {
    adapter?.release()
  }
}

/** The adapter stays loaded until it is released. */
async function loadedAdapter(
  { adapters, info }: RuntimeParts,
  ref: AdapterRef,
): Promise<{ choice: Pick<EngineRequest, 'adapter' | 'cacheSpace'>; release(): void }> {
  if (!adapters) return fail('INTERNAL', `internal: "${info.id}" takes no adapters`)
  const { id, release } = await adapters.acquire(ref)
  return { choice: { adapter: id, cacheSpace: ref.key }, release }
}

/** The constraint of a request on the tokens of this model, after those of a reply that goes on. */
function maskOf(
  { constraints, info }: RuntimeParts,
  { constraint }: TextRequest,
  { stopTokens }: PreparedPrompt,
  soFar: readonly number[] = [],
): Pick<EngineRequest, 'mask'> {
  if (!constraint) return {}
  if (!constraints) return fail('INTERNAL', `internal: "${info.id}" takes no constraints`)
  const mask = constraints.create(constraint, stopTokens)
  for (const token of soFar) mask.accept(token)
  return { mask }
}

interface PreparedPrompt extends Pick<EngineRequest, 'branches' | 'share' | 'weights'> {
  tokens: number[]
  /** So many at the end are the beginning of the reply. */
  replyTokens?: number
  stopTokens: readonly number[]
  stopStrings: readonly string[]
}

/** The prompt under each label line that goes into the reply; the first is the one that is reported on. */
function preparePrompt(
  parts: RuntimeParts,
  { prompt, guidance }: Pick<TextRequest, 'prompt' | 'guidance'>,
): PreparedPrompt {
  const { info, tokenizer, template } = parts
  const values = labelValues(info, prompt)
  if (guidance && Object.keys(values ?? {}).length === 0) {
    fail('BAD_REQUEST', 'steering.guidance: no attributes steer this prompt', {
      param: 'steering.guidance',
    })
  }
  const tokensUnder = promptUnder(parts, prompt)
  const terms = values
    ? steeringTerms(info.attributes, values, guidance)
    : [{ weight: 1, lines: [{ values, share: 1 }] }]
  const [first, ...branches] = terms.flatMap(({ lines }, term) =>
    lines.map((line) => ({ tokens: tokensUnder(line.values), term, share: line.share })),
  )
  return {
    tokens: first!.tokens,
    ...(branches.length > 0 && {
      branches,
      share: first!.share,
      weights: terms.map(({ weight }) => weight),
    }),
    stopTokens: values && template ? template.stopTokens : tokenizer.eosIds,
    stopStrings: values && template ? template.stopStrings : [],
  }
}

function withReply(prompt: PreparedPrompt, reply: TakenUp | undefined): PreparedPrompt {
  if (!reply) return prompt
  const behind = <T extends { tokens: readonly number[] }>(row: T) => ({
    ...row,
    tokens: [...row.tokens, ...reply.tokens],
  })
  const branches = prompt.branches && { branches: prompt.branches.map(behind) }
  return { ...behind(prompt), ...branches, replyTokens: reply.tokens.length }
}

/** Without guidance, and with values between levels at the nearest ones. */
const promptTokens = (parts: RuntimeParts, prompt: Prompt): number[] =>
  promptUnder(parts, prompt)(labelValues(parts.info, prompt))

/** The prompt's tokens under the label line of these values; null: without one. */
function promptUnder(
  parts: RuntimeParts,
  prompt: Prompt,
): (values: Record<string, number> | null) => number[] {
  if ('messages' in prompt) {
    const template = templateOf(parts)
    return (values) => template.promptTokens(prompt.messages, values ?? {})
  }
  const tokens = 'tokens' in prompt ? prompt.tokens : parts.tokenizer.encode(prompt.text)
  return (values) => (values ? [...tokens, ...templateOf(parts).labelTokens(values)] : tokens)
}

function templateOf({ template, info }: RuntimeParts): NonNullable<RuntimeParts['template']> {
  return (
    template ?? fail('BAD_TEMPLATE', `"${info.id}" has no chat template`, { param: 'messages' })
  )
}

/** What the label line of the reply says; null where a text or token ids are taken as they are. */
function labelValues(info: ModelInfo, prompt: Prompt): Record<string, number> | null {
  if (!('messages' in prompt)) {
    return prompt.attributes ? withDefaults(info.attributes, prompt.attributes) : null
  }
  prompt.messages.forEach((message) =>
    validateAttributes(info.attributes, message.attributes ?? {}),
  )
  const all = withDefaults(info.attributes, prompt.attributes)
  return prompt.onlyGiven ? prompt.attributes : all
}

function encode(
  parts: RuntimeParts,
  prompt: Prompt,
  { addSpecialTokens = true }: EncodeOptions = {},
): EncodedPrompt {
  const { info, tokenizer, template } = parts
  if ('text' in prompt) {
    return { tokens: tokenizer.encode(prompt.text, { addSpecialTokens }), text: prompt.text }
  }
  const tokens = promptTokens(parts, prompt)
  if ('tokens' in prompt) return { tokens, text: tokenizer.decode(tokens) }
  return { tokens, text: template!.promptText(prompt.messages, labelValues(info, prompt) ?? {}) }
}

function decode(tokenizer: Tokenizer, tokens: readonly number[]): DecodedTokens {
  const pieces = tokens.map((token, i) => textOfToken(tokenizer, token, i === 0))
  return { text: tokenizer.decode(tokens), pieces }
}

function engineRequest(
  request: TextRequest,
  prompt: PreparedPrompt,
  info: ModelInfo,
): EngineRequest {
  const {
    prompt: _prompt,
    maxTokens,
    stop: _stop,
    ignoreEos,
    returnTokenIds: _returnTokenIds,
    adapter: _adapter,
    reply: _reply,
    constraint: _constraint,
    guidance: _guidance,
    ...sampling
  } = request
  const { tokens, branches = [], share, weights, replyTokens = 0 } = prompt
  // A reply that fills the context ends there; it does not fail.
  const needed = maxTokens === 0 || replyTokens > 0 ? 0 : 1
  const longest = Math.max(tokens.length, ...branches.map((branch) => branch.tokens.length))
  const room = info.contextLength - longest
  if (room < needed) {
    const reply = needed === 1 ? ' with at least 1 for the reply' : ''
    fail(
      'CONTEXT_TOO_LONG',
      `the prompt has ${longest} tokens, the context holds ${info.contextLength}${reply}`,
      { param: 'messages' in request.prompt ? 'messages' : 'prompt' },
    )
  }
  const emitted = Math.min(Math.max(0, (maxTokens ?? Infinity) - replyTokens), room)
  return {
    ...sampling,
    tokens,
    replyTokens,
    maxTokens: emitted,
    // Where nothing is drawn there is nothing to blend.
    ...(branches.length > 0 && emitted > 0 && { branches, share, weights }),
    stopTokens: prompt.stopTokens,
    ignoreStop: ignoreEos,
    echo: request.echo === true && request.logprobs !== undefined,
  }
}

function describeStart(
  tokenizer: Tokenizer,
  request: TextRequest,
  tokens: number[],
  event: EngineEvent & { type: 'start' },
): TextEvent & { type: 'start' } {
  const { promptTokens, cachedTokens, promptLogprobs } = event
  const given = request.prompt
  return {
    type: 'start',
    promptTokens,
    cachedTokens,
    ...(request.echo && {
      promptText: 'text' in given && !given.attributes ? given.text : tokenizer.decode(tokens),
    }),
    ...(promptLogprobs && {
      promptLogprobs: promptLogprobs.map((item, i) => describeLogprob(tokenizer, item, i === 0)),
    }),
    ...(request.returnTokenIds && { promptTokenIds: tokens }),
  }
}

async function predict(
  parts: RuntimeParts,
  inputs: PredictInput[],
  signal?: AbortSignal,
  { raw = false }: PredictOptions = {},
): Promise<Record<string, number>[]> {
  const { info, scorer, template, tokenizer } = parts
  if (!scorer || !template) {
    return fail('MODEL_NOT_PREDICTIVE', `"${info.id}" generates text`, { param: 'model' })
  }
  const rows = inputs.map((input) =>
    'text' in input ? tokenizer.encode(input.text) : template.scoringTokens(input),
  )
  if (signal?.aborted) fail('CANCELLED', 'before the attribute model ran')
  const scores = await scorer.score(rows)
  const calibration = raw ? undefined : info.calibration
  return scores.map((row) => calibratedValues(info.attributes, row, calibration))
}

async function likelihoods(
  parts: RuntimeParts,
  asked: { prompt: Prompt; texts: readonly string[]; options?: LikelihoodOptions },
  signal?: AbortSignal,
): Promise<Likelihoods> {
  const { engine, tokenizer, info } = parts
  if (!engine) {
    return fail('MODEL_NOT_GENERATIVE', `"${info.id}" predicts attributes`, { param: 'model' })
  }
  const prompt = promptTokens(parts, asked.prompt)
  const { stopTokens } = preparePrompt(parts, asked)
  const end = stopTokens[0]!
  const replies = asked.texts.map((text) => [
    ...tokenizer.encode(text, { addSpecialTokens: false }),
    end,
  ])
  const longest = prompt.length + Math.max(...replies.map((reply) => reply.length))
  if (longest > info.contextLength) {
    fail('CONTEXT_TOO_LONG', `with an answer it has ${longest} tokens, the context holds ${info.contextLength}`) // prettier-ignore
  }
  const { adapter: ref, ...request } = asked.options ?? {}
  const adapter = ref && (await loadedAdapter(parts, ref))
  try {
    const rows = { prompt, replies, request: { ...request, ...adapter?.choice } }
    const rated = await rateReplies(engine.generate, rows, signal)
    return { ...rated, promptTokens: prompt.length }
  } finally {
    adapter?.release()
  }
}

async function embed(
  { embedder, tokenizer, info }: RuntimeParts,
  inputs: readonly EmbeddingInput[],
  { pooling = 'mean' }: EmbedOptions = {},
  signal?: AbortSignal,
): Promise<Embeddings> {
  if (!embedder) return fail('INTERNAL', `internal: "${info.id}" has no graph for embeddings`)
  const rows = inputs.map((input) =>
    'tokens' in input ? input.tokens : tokenizer.encode(input.text),
  )
  const vectors = await embedder.embed(rows, { pooling, signal })
  return { vectors, tokens: rows.reduce((sum, row) => sum + row.length, 0) }
}
