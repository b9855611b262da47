/** Request bodies into the generating service's terms: snake_case to camelCase, null to unset. */
import type { AttributeValues } from '../../schemas/attributes.ts'
import type { ChatCompletionRequest } from '../../schemas/chat.ts'
import type { InputMessage, SteeringOptions } from '../../schemas/common.ts'
import type { CompletionRequest } from '../../schemas/completions.ts'
import type { Message } from '../../schemas/records.ts'
import type { StartMessage } from '../../schemas/stream.ts'
import { fail } from '../errors.ts'
import { readConstraint } from './constraint-input.ts'
import type { GenerationRequest } from '../services/generator.ts'
import type { Prompt } from '../services/runtime-types.ts'

type Options = GenerationRequest['options']

export function chatGeneration(body: ChatCompletionRequest): GenerationRequest {
  if (body.top_logprobs != null && !body.logprobs) {
    fail('BAD_REQUEST', 'top_logprobs: needs logprobs to be true', { param: 'top_logprobs' })
  }
  return {
    ...conversation(body),
    n: body.n ?? 1,
    options: {
      ...samplingOptions(body),
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
      logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
      constraint: readConstraint(body),
      returnTokenIds: body.return_token_ids ?? undefined,
      progress: wantsProgress(body),
    },
  }
}

export function socketGeneration(message: StartMessage): GenerationRequest {
  return {
    ...conversation(message),
    n: 1,
    options: { ...samplingOptions(message), maxTokens: message.max_tokens ?? undefined },
  }
}

export function completionGeneration(body: CompletionRequest): GenerationRequest {
  return {
    model: body.model,
    prompts: completionPrompts(body),
    n: body.n ?? 1,
    ...toSteering(body.steering),
    options: {
      ...samplingOptions(body),
      maxTokens: body.max_tokens ?? 16,
      logprobs: body.logprobs ?? undefined,
      constraint: readConstraint(body),
      echo: body.echo ?? undefined,
      returnTokenIds: body.return_token_ids ?? undefined,
      progress: wantsProgress(body),
    },
  }
}

export function conversation(body: {
  model: string
  messages: InputMessage[]
  attributes?: AttributeValues | null
  steering?: SteeringOptions | null
}): Pick<GenerationRequest, 'model' | 'prompts'> & SteeringChoice {
  return {
    model: body.model,
    prompts: [{ messages: toMessages(body.messages), attributes: body.attributes ?? {} }],
    ...toSteering(body.steering),
  }
}

type SteeringChoice = Pick<
  GenerationRequest,
  'measure' | 'verify' | 'guidance' | 'avoid' | 'preset'
>

/** Replies that `verify` compares, and what is close enough, where the request does not say. */
const usualVerification = { attempts: 4, tolerance: 0.25 }

/** The same on every endpoint. */
export function toSteering(steering: SteeringOptions | null | undefined): SteeringChoice {
  const { measure, verify, guidance, avoid, preset } = steering ?? {}
  return {
    measure: measure ?? true,
    guidance: guidance ?? undefined,
    avoid: avoid ?? undefined,
    preset: preset ?? undefined,
    verify: toVerification(verify),
  }
}

function toVerification(verify: SteeringOptions['verify']): GenerationRequest['verify'] {
  if (verify == null || verify === false) return undefined
  if (verify === true) return usualVerification
  if (typeof verify === 'number') return { ...usualVerification, attempts: verify }
  return {
    attempts: verify.attempts ?? usualVerification.attempts,
    tolerance: verify.tolerance ?? usualVerification.tolerance,
  }
}

/** Text parts are joined; `developer` becomes `system`. */
export function toMessages(messages: readonly InputMessage[]): Message[] {
  return messages.map(({ role, content, attributes }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : content.map((part) => part.text).join(''),
    ...(attributes && { attributes }),
  }))
}

export type SamplingBody = Pick<
  ChatCompletionRequest,
  | 'temperature'
  | 'top_p'
  | 'top_k'
  | 'min_p'
  | 'presence_penalty'
  | 'frequency_penalty'
  | 'repetition_penalty'
  | 'seed'
  | 'stop'
  | 'logit_bias'
  | 'ignore_eos'
  | 'priority'
> & { service_tier?: string | null }

/** OpenAI's tiers; any other is the default. */
const tierPriorities: Readonly<Record<string, number>> = { priority: -5, flex: 5 }

export function samplingOptions(body: SamplingBody): Options {
  return {
    temperature: body.temperature ?? undefined,
    topP: body.top_p ?? undefined,
    topK: body.top_k ?? undefined,
    minP: body.min_p ?? undefined,
    presencePenalty: body.presence_penalty ?? undefined,
    frequencyPenalty: body.frequency_penalty ?? undefined,
    repetitionPenalty: body.repetition_penalty ?? undefined,
    seed: body.seed ?? undefined,
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? undefined),
    logitBias: body.logit_bias ?? undefined,
    ignoreEos: body.ignore_eos ?? undefined,
    priority: body.priority ?? tierPriorities[body.service_tier ?? ''] ?? undefined,
  }
}

/** One prompt per entry; a list of numbers is one prompt of token ids. Attributes put the label line behind each. */
function completionPrompts({ prompt, attributes }: CompletionRequest): Prompt[] {
  const steering = attributes ? { attributes } : {}
  if (typeof prompt === 'string') return [{ text: prompt, ...steering }]
  if (typeof prompt[0] === 'number') return [{ tokens: prompt as number[], ...steering }]
  return (prompt as (string | number[])[]).map((item) =>
    typeof item === 'string' ? { text: item, ...steering } : { tokens: item, ...steering },
  )
}

type StreamBody = Pick<ChatCompletionRequest, 'stream' | 'return_progress'>

const wantsProgress = (body: StreamBody): boolean | undefined =>
  body.stream && body.return_progress ? true : undefined
