/**
 * The generating use case: choices of a request side by side, sampling defaults, seeds, measuring what a
 * reply achieved and choosing the best of several. Over runtimes; knows nothing of HTTP.
 */
import type { SteeringReport } from '../../schemas/common.ts'
import { SteerError, fail } from '../errors.ts'
import type { Choice, GenerationEvent, GenerationRequest, Generator } from './generation-types.ts'
import { mergeStreams } from './merge-streams.ts'
import type { Models } from './models.ts'
import type { ModelRuntime, Prompt, TextUsage } from './runtime-types.ts'
import { withDefaults } from './text-runtime.ts'

export type * from './generation-types.ts'

/** A request with its models found. */
interface Plan {
  request: GenerationRequest
  model: ModelRuntime
  predictor: ModelRuntime | null
  choices: number
  /** Lets go of the models; a request keeps those that it began with, should they be replaced meanwhile. */
  release(): void
}

export function createGenerator(models: Models): Generator {
  const plan = (request: GenerationRequest): Plan => {
    const model = models.getGenerative(request.model)
    const predictor = models.predictorFor(model)
    if (request.verify && !predictor) {
      const detail = `steering.verify: no served attribute model measures "${request.model}"`
      fail('BAD_REQUEST', detail, { param: 'steering.verify' })
    }
    const holds = [model.hold?.(), predictor?.hold?.()]
    const release = (): void => holds.forEach((letGo) => letGo?.())
    return { request, model, predictor, choices: request.prompts.length * request.n, release }
  }
  return {
    async *stream(request, signal) {
      const planned = plan(request)
      try {
        yield* streamChoices(planned, signal)
      } finally {
        planned.release()
      }
    },
    async complete(request, signal) {
      const planned = plan(request)
      try {
        return await completeChoices(planned, signal)
      } finally {
        planned.release()
      }
    },
  }
}

async function* streamChoices(plan: Plan, outer?: AbortSignal): AsyncGenerator<GenerationEvent> {
  if (plan.request.verify) {
    fail('BAD_REQUEST', 'steering.verify: a reply can be verified only before it is sent', {
      param: 'steering.verify',
    })
  }
  const abort = new AbortController()
  const signal = outer ? AbortSignal.any([outer, abort.signal]) : abort.signal
  const usages: TextUsage[] = []
  try {
    const streams = indices(plan).map((choice) => writeChoice(plan, choice, 0, signal))
    for await (const event of mergeStreams(streams)) {
      if (event.type === 'finish') usages[event.choice] = event.usage
      yield event
    }
    yield { type: 'usage', usage: totalUsage(usages, plan.request.n) }
  } finally {
    abort.abort()
  }
}

async function completeChoices(
  plan: Plan,
  outer?: AbortSignal,
): Promise<{ choices: Choice[]; usage: TextUsage }> {
  const abort = new AbortController()
  const signal = outer ? AbortSignal.any([outer, abort.signal]) : abort.signal
  try {
    const choices = await Promise.all(
      indices(plan).map((choice) =>
        plan.request.verify
          ? bestChoice(plan, choice, signal)
          : collectChoice(writeChoice(plan, choice, 0, signal)),
      ),
    )
    const usages = choices.map((choice) => choice.usage)
    return { choices, usage: totalUsage(usages, plan.request.n) }
  } finally {
    abort.abort() // one choice failed: the others need not go on
  }
}

function indices(plan: Plan): number[] {
  return Array.from({ length: plan.choices }, (_, index) => index)
}

/** One reply. Attempt k of choice c draws with seed + c + k × choices, so that no two are alike. */
async function* writeChoice(
  plan: Plan,
  choice: number,
  attempt: number,
  signal: AbortSignal,
): AsyncGenerator<Exclude<GenerationEvent, { type: 'usage' }>> {
  const { model, request } = plan
  const { sampling } = model.info
  const { options } = request
  const seed =
    options.seed === undefined ? undefined : options.seed + choice + attempt * plan.choices
  const textRequest = {
    ...options,
    prompt: request.prompts[Math.floor(choice / request.n)]!,
    temperature: options.temperature ?? sampling.temperature ?? 1,
    topP: options.topP ?? sampling.topP,
    topK: options.topK ?? sampling.topK,
    seed,
    owner: ownerOf(request),
  }
  const requested = requestedValues(model, textRequest.prompt)
  let text = ''
  for await (const event of model.generate(textRequest, signal)) {
    if (event.type === 'done') {
      const achieved = requested && (await measure(plan, textRequest.prompt, text, signal))
      const steering = requested && { requested, achieved: achieved ?? null }
      yield { ...event, type: 'finish', choice, ...(steering && { steering }) }
    } else if (event.type === 'start') {
      text = event.reply?.text ?? ''
      yield { ...event, choice, ...(requested && { requested }) }
    } else {
      if (event.type === 'delta') text += event.text
      yield { ...event, choice }
    }
  }
}

/** Among whom the engine is shared fairly: API keys, else addresses. */
function ownerOf({ caller, address }: GenerationRequest): string {
  if (caller) return `key:${caller.id}`
  return address === undefined ? 'anonymous' : `address:${address}`
}

/** Undefined when nothing steers the reply: a raw prompt, or a model without attributes. */
function requestedValues(model: ModelRuntime, prompt: Prompt): Record<string, number> | undefined {
  if (!('messages' in prompt)) return undefined
  const requested = withDefaults(model.info.attributes, prompt.attributes)
  return model.info.attributes.length > 0 ? requested : undefined
}

/** What the attribute model says of the reply; null when nobody asked or it could not say. */
async function measure(
  plan: Plan,
  prompt: Prompt,
  reply: string,
  signal: AbortSignal,
): Promise<Record<string, number> | null> {
  const { request, predictor } = plan
  const isWanted = request.measure || request.verify
  if (!predictor || !isWanted || !('messages' in prompt)) return null
  const conversation = [...prompt.messages, { role: 'assistant' as const, content: reply }]
  try {
    const [achieved] = await predictor.predict([conversation], signal)
    return achieved ?? null
  } catch (error) {
    // A reply that cannot be measured is still a reply; `verify` has nothing to go by then.
    const isFatal = !(error instanceof SteerError) || error.code === 'CANCELLED' || request.verify
    if (isFatal) throw error
    return null
  }
}

async function bestChoice(plan: Plan, choice: number, signal: AbortSignal): Promise<Choice> {
  const { options, verify } = plan.request
  const limit = options.temperature === 0 ? 1 : verify!.attempts
  let best: { reply: Choice; distance: number } | undefined
  let completionTokens = 0
  for (let attempt = 0; attempt < limit; attempt++) {
    const reply = await collectChoice(writeChoice(plan, choice, attempt, signal))
    completionTokens += reply.usage.completionTokens
    const { mean, largest } = distances(reply.steering!)
    if (!best || mean < best.distance) best = { reply, distance: mean }
    best.reply.steering!.attempts = attempt + 1
    if (largest <= verify!.tolerance) break
  }
  const { reply } = best!
  return { ...reply, usage: { ...reply.usage, completionTokens } }
}

/** Between requested and achieved, in levels. */
function distances(report: SteeringReport): { mean: number; largest: number } {
  const gaps = Object.entries(report.requested).map(([name, wanted]) =>
    Math.abs((report.achieved?.[name] ?? Infinity) - wanted),
  )
  const sum = gaps.reduce((total, gap) => total + gap, 0)
  return { mean: sum / gaps.length, largest: Math.max(...gaps) }
}

async function collectChoice(events: AsyncIterable<GenerationEvent>): Promise<Choice> {
  const choice: Partial<Choice> & Pick<Choice, 'text' | 'tokens'> = { text: '', tokens: [] }
  for await (const event of events) {
    if (event.type === 'delta') {
      choice.text += event.text
      choice.tokens.push(...event.tokens)
      if (event.logprobs) (choice.logprobs ??= []).push(...event.logprobs)
    } else if (event.type === 'start') {
      const { promptText, promptLogprobs, promptTokenIds } = event
      Object.assign(choice, { promptText, promptLogprobs, promptTokenIds })
    } else if (event.type === 'finish') {
      const { finishReason, usage, steering } = event
      Object.assign(choice, { finishReason, usage, steering })
    }
  }
  if (!choice.finishReason) fail('INTERNAL', 'internal: a reply ended without its last event')
  return choice as Choice
}

/** A prompt counts once, however many replies it gets. */
function totalUsage(usages: readonly TextUsage[], n: number): TextUsage {
  const total = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 }
  usages.forEach((usage, choice) => {
    total.completionTokens += usage.completionTokens
    if (choice % n !== 0) return
    total.promptTokens += usage.promptTokens
    total.cachedTokens += usage.cachedTokens
  })
  return total
}
