/** Runtimes without a model: a scripted reply, and attribute values from a table. */
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { fail } from '../../src/errors.ts'
import type {
  ModelInfo,
  ModelRuntime,
  PredictInput,
  TextEvent,
  TextRequest,
} from '../../src/services/runtime-types.ts'
import { withDefaults } from '../../src/services/text-runtime.ts'

export const villageInfo: ModelInfo = {
  id: 'village',
  kind: 'language-model',
  attributes: attributeSet('village'),
  contextLength: 512,
  created: 1_790_000_000,
  template: 'chat',
  sampling: { temperature: 0.8 },
}

export const apmInfo: ModelInfo = { ...villageInfo, id: 'village-apm', kind: 'attribute-model' }

export interface FakeLanguageModel extends ModelRuntime {
  /** What was asked for, oldest first. */
  requests: TextRequest[]
  /** Resolves with the signal's state once a reply was left or aborted. */
  ended: Promise<'done' | 'left'>
}

export interface FakeOptions {
  info?: Partial<ModelInfo>
  /** Thrown after this many pieces. */
  failure?: { after: number; error: Error }
  /** Nothing comes before this does; a failure is the reply's. */
  begin?: Promise<void>
  /** After the pieces the reply waits until it is aborted. */
  hang?: boolean
}

/** Replies with these pieces, one token each (ids 10, 11, …); the prompt has 5 tokens. */
export function fakeLanguageModel(pieces: string[], options: FakeOptions = {}): FakeLanguageModel {
  const info = { ...villageInfo, ...options.info }
  const requests: TextRequest[] = []
  const ended = Promise.withResolvers<'done' | 'left'>()

  async function* generate(request: TextRequest, signal?: AbortSignal): AsyncGenerator<TextEvent> {
    requests.push(request)
    if ('messages' in request.prompt) withDefaults(info.attributes, request.prompt.attributes)
    const withLogprobs = request.logprobs !== undefined
    const describe = (text: string, token: number) => ({
      token,
      text,
      logprob: -0.5,
      top: Array.from({ length: request.logprobs ?? 0 }, (_, i) => ({
        token: i,
        text: `t${i}`,
        logprob: -1 - i,
      })),
    })
    let how: 'done' | 'left' = 'left'
    try {
      await options.begin
      if (request.progress) {
        const elapsedMs = 1.6
        yield { type: 'progress', promptTokens: 5, cachedTokens: 2, processedTokens: 2, elapsedMs }
      }
      yield {
        type: 'start',
        promptTokens: 5,
        cachedTokens: 2,
        ...(request.echo && { promptText: 'text' in request.prompt ? request.prompt.text : 'ids' }),
        ...(request.echo &&
          withLogprobs && { promptLogprobs: [{ ...describe('P', 1), logprob: null }] }),
        ...(request.returnTokenIds && { promptTokenIds: [1, 2, 3, 4, 5] }),
      }
      const limit = Math.min(pieces.length, request.maxTokens ?? pieces.length)
      for (let i = 0; i < limit; i++) {
        if (options.failure?.after === i) throw options.failure.error
        if (signal?.aborted) fail('CANCELLED', 'by the client')
        yield {
          type: 'delta',
          text: pieces[i]!,
          tokens: [10 + i],
          ...(withLogprobs && { logprobs: [describe(pieces[i]!, 10 + i)] }),
        }
      }
      if (options.hang) await aborted(signal)
      how = 'done'
      yield {
        type: 'done',
        finishReason: limit < pieces.length ? 'length' : 'stop',
        usage: { promptTokens: 5, completionTokens: limit, cachedTokens: 2 },
      }
    } finally {
      ended.resolve(how)
    }
  }

  return {
    info,
    ready: true,
    requests,
    ended: ended.promise,
    generate,
    predict: async () => fail('MODEL_NOT_PREDICTIVE', info.id),
    countTokens: async (prompt) => countWords(prompt),
    ...fakeCoding,
    likelihoods: fakeLikelihoods,
    dispose: async () => {},
  }
}

/** A reply is 1/e as likely for each letter more. */
const fakeLikelihoods: ModelRuntime['likelihoods'] = async (prompt, texts) => ({
  logprobs: texts.map((text) => -text.length),
  promptTokens: countWords(prompt),
  cachedTokens: 2,
})

/** A token a letter, its id the letter's code. */
const fakeCoding: Pick<ModelRuntime, 'encode' | 'decode' | 'embed'> = {
  async encode(prompt, { addSpecialTokens = true } = {}) {
    if ('tokens' in prompt)
      return { tokens: prompt.tokens, text: lettersOf(prompt.tokens).join('') }
    if ('text' in prompt) {
      return {
        tokens: [...(addSpecialTokens ? [1] : []), ...codesOf(prompt.text)],
        text: prompt.text,
      }
    }
    const text = prompt.messages.map(({ content }) => `${content}\n`).join('')
    return { tokens: codesOf(text), text }
  },
  // [0.6, 0.8], turned around for the last token's.
  async embed(inputs, { pooling } = {}) {
    const vector = Float32Array.of(0.6, pooling === 'last' ? -0.8 : 0.8)
    const tokens = inputs.map((input) => ('tokens' in input ? input.tokens : codesOf(input.text)))
    return { vectors: inputs.map(() => vector), tokens: tokens.flat().length }
  },
  decode: async (tokens) => ({ text: lettersOf(tokens).join(''), pieces: lettersOf(tokens) }),
}

const codesOf = (text: string): number[] => Array.from(text, (letter) => letter.codePointAt(0)!)
const lettersOf = (tokens: readonly number[]): string[] =>
  tokens.map((token) => String.fromCodePoint(token))

/** A token a word, and one for each message. */
function countWords(prompt: TextRequest['prompt']): number {
  if ('tokens' in prompt) return prompt.tokens.length
  const texts = 'text' in prompt ? [prompt.text] : prompt.messages.map(({ content }) => content)
  return texts.reduce((sum, text) => sum + 1 + text.split(' ').length, 0)
}

async function aborted(signal: AbortSignal | undefined): Promise<never> {
  const gate = Promise.withResolvers<void>()
  if (!signal || signal.aborted) gate.resolve()
  else signal.addEventListener('abort', () => gate.resolve(), { once: true })
  await gate.promise
  return fail('CANCELLED', 'by the client')
}

export interface FakeAttributeModel extends ModelRuntime {
  inputs: PredictInput[][]
}

/** Gives these values, one after another (the last for ever). */
export function fakeAttributeModel(
  values: Record<string, number>[] = [
    { helpfulness: 3.5, humor: 0.25, creativity: 1, verbosity: 2, toxicity: 0 },
  ],
  info: Partial<ModelInfo> = {},
): FakeAttributeModel {
  const inputs: PredictInput[][] = []
  let calls = 0
  return {
    info: { ...apmInfo, ...info },
    ready: true,
    inputs,
    generate: () => fail('MODEL_NOT_GENERATIVE', 'village-apm'),
    async predict(rows) {
      inputs.push(rows)
      return rows.map(() => values[Math.min(calls++, values.length - 1)]!)
    },
    countTokens: async (prompt) => countWords(prompt),
    ...fakeCoding,
    likelihoods: () => fail('MODEL_NOT_GENERATIVE', 'village-apm'),
    dispose: async () => {},
  }
}
