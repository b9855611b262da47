/** Checks a request against the model's limits before it may wait in the queue. */

import { fail } from '../errors.ts'
import type { EngineRequest } from './engine-types.ts'

export interface RequestLimits {
  vocabSize: number
  contextLength: number
  slots: number
}

interface Range {
  min: number
  max: number
  integer?: boolean
}

/** More alternatives than this are refused: each costs time on every token. */
export const MAX_LOGPROBS = 100

/** Priorities reach so far from 0 on both sides. */
export const MAX_PRIORITY = 10

const ranges: Partial<Record<keyof EngineRequest, Range>> = {
  maxTokens: { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  temperature: { min: 0, max: 100 },
  topK: { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  topP: { min: 0, max: 1 },
  minP: { min: 0, max: 1 },
  repetitionPenalty: { min: 0.01, max: 100 },
  presencePenalty: { min: -100, max: 100 },
  frequencyPenalty: { min: -100, max: 100 },
  seed: { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, integer: true },
  replyTokens: { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  logprobs: { min: 0, max: MAX_LOGPROBS, integer: true },
  priority: { min: -MAX_PRIORITY, max: MAX_PRIORITY, integer: true },
}

/** API fields are written in snake_case; `param` names them so. */
function fieldName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function checkRange(key: string, value: unknown, range: Range): void {
  const { min, max, integer } = range
  const isNumber = typeof value === 'number' && value >= min && value <= max
  if (isNumber && (!integer || Number.isInteger(value))) return
  const kind = integer ? 'an integer' : 'a number'
  const name = fieldName(key)
  fail('BAD_REQUEST', `${name}: expected ${kind} from ${min} to ${max}, got ${String(value)}`, {
    param: name,
  })
}

function checkToken(token: number, vocabSize: number, where: string, param: string): void {
  if (Number.isInteger(token) && token >= 0 && token < vocabSize) return
  fail('BAD_REQUEST', `${where}: expected a token id from 0 to ${vocabSize - 1}, got ${token}`, {
    param,
  })
}

function checkPrompt(tokens: readonly number[], limits: RequestLimits): void {
  if (tokens.length === 0) {
    fail('BAD_REQUEST', 'prompt: expected at least 1 token, got 0', { param: 'prompt' })
  }
  if (tokens.length > limits.contextLength) {
    fail(
      'CONTEXT_TOO_LONG',
      `the prompt has ${tokens.length} tokens, the context holds ${limits.contextLength}`,
      { param: 'prompt' },
    )
  }
  tokens.forEach((token, i) => checkToken(token, limits.vocabSize, `prompt token ${i}`, 'prompt'))
}

/** Branches take slots beside the prompt's, and while they wait for one another each needs a position that is free. */
function checkBranches(request: EngineRequest, limits: RequestLimits): void {
  const { tokens, branches = [], share = 1, weights = [1] } = request
  if (branches.length === 0) return
  const { slots, contextLength } = limits
  if (branches.length >= slots) {
    fail('BAD_REQUEST', `the reply needs ${branches.length + 1} slots, the model has ${slots}`, {
      param: 'branches',
    })
  }
  for (const weight of weights) checkRange('weight', weight, { min: -1000, max: 1000 })
  for (const part of [share, ...branches.map((branch) => branch.share)]) {
    checkRange('share', part, { min: 0, max: 1 })
  }
  for (const branch of branches) {
    checkRange('term', branch.term, { min: 0, max: weights.length - 1, integer: true })
    checkPrompt(branch.tokens, limits)
  }
  const longest = Math.max(tokens.length, ...branches.map((branch) => branch.tokens.length))
  if (longest < contextLength) return
  fail(
    'CONTEXT_TOO_LONG',
    `the prompt has ${longest} tokens in one of its branches, the context holds ${contextLength} and a reply`,
    { param: 'prompt' },
  )
}

/** Fails with BAD_REQUEST or CONTEXT_TOO_LONG; returns when the request can be served. */
export function validateRequest(request: EngineRequest, limits: RequestLimits): void {
  for (const [key, range] of Object.entries(ranges)) {
    const value = request[key as keyof EngineRequest]
    if (value !== undefined || key === 'maxTokens' || key === 'temperature') {
      checkRange(key, value, range)
    }
  }
  checkPrompt(request.tokens, limits)
  checkBranches(request, limits)
  for (const [token, bias] of Object.entries(request.logitBias ?? {})) {
    checkToken(Number(token), limits.vocabSize, 'logit_bias', 'logit_bias')
    checkRange(`logitBias[${token}]`, bias, { min: -1000, max: 1000 })
  }
}
