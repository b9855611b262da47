/**
 * What a request for steered replies means for a model: preset and defaults filled in, how strong the guidance is, how
 * many rows a reply takes, and what there is to warn of. Pure; the label lines are `labels/steering-terms.ts`'s business.
 */
import type { SteeringWarning } from '../../schemas/common.ts'
import { fail } from '../errors.ts'
import { validateAttributes } from '../labels/label-codec.ts'
import { linesBetween, rowsOf, steeringTerms, type Guidance } from '../labels/steering-terms.ts'
import type { GenerationRequest } from './generation-types.ts'
import { findPreset } from './presets.ts'
import type { ModelInfo, Prompt } from './runtime-types.ts'
import { unseenWarnings } from './seen-combinations.ts'
import { withDefaults } from './text-runtime.ts'

/** γ where values to avoid are given and no strength. */
export const AVOID_SCALE = 2

/** Of one prompt. */
export interface SteeringPlan {
  readonly prompt: Prompt
  readonly guidance?: Guidance
  /** Null where nothing steers the reply: a model without attributes, or a text taken as it is. */
  readonly requested: Record<string, number> | null
  /** Of the batch, for each reply. */
  readonly rows: number
  readonly warnings: readonly SteeringWarning[]
}

/**
 * Fails ATTRIBUTE_UNKNOWN, ATTRIBUTE_OUT_OF_RANGE, and BAD_REQUEST on an unknown preset, guidance where nothing can be
 * steered, or more rows than the model has slots.
 */
export function planSteering(
  info: ModelInfo,
  request: GenerationRequest,
  prompt: Prompt,
): SteeringPlan {
  const preset = request.preset === undefined ? null : findPreset(info, request.preset)
  const given = { ...preset?.attributes, ...prompt.attributes }
  const isRaw = !('messages' in prompt) && !preset && !prompt.attributes
  const guidance = guidanceOf(request, preset)
  if (isRaw || info.attributes.length === 0) {
    validateAttributes(info.attributes, given)
    if (guidance)
      refuseGuidance(isRaw ? 'a text without attributes' : `"${info.id}" has no attributes`)
    return { prompt, requested: null, rows: 1, warnings: [] }
  }
  const requested = withDefaults(info.attributes, given)
  if (guidance?.avoid) validateAttributes(info.attributes, guidance.avoid, 'steering.avoid')
  const rows = rowsOf(steeringTerms(info.attributes, requested, guidance))
  checkSlots(info, rows)
  const lines = linesBetween(info.attributes, requested)
  const warnings = unseenWarnings(
    info,
    lines.map(({ values }) => values!),
  )
  return { prompt: { ...prompt, attributes: given }, guidance, requested, rows, warnings }
}

function guidanceOf(
  request: GenerationRequest,
  preset: { guidance?: number | null; avoid?: Record<string, number> | null } | null,
): Guidance | undefined {
  const avoid = request.avoid ?? preset?.avoid ?? undefined
  const scale = request.guidance ?? preset?.guidance ?? (avoid ? AVOID_SCALE : 1)
  return scale === 1 ? undefined : { scale, ...(avoid && { avoid }) }
}

function refuseGuidance(why: string): never {
  return fail('BAD_REQUEST', `steering.guidance: ${why}: nothing to steer by`, {
    param: 'steering.guidance',
  })
}

function checkSlots(info: ModelInfo, rows: number): void {
  const slots = info.kv?.slots ?? Infinity
  if (rows <= slots) return
  fail(
    'BAD_REQUEST',
    `attributes: values between levels and guidance make ${rows} rows of each reply, "${info.id}" has ${slots} slots`,
    { param: 'attributes' },
  )
}
