/** The model cards of the bundled models, from their manifests and the reports of the demo training. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calibrationTable } from '../src/registry/model-card.ts'
import { ModelManifest } from '../schemas/model-manifest.ts'
import { SteeringReport } from '../schemas/steering-report.ts'
import type { ApmFigures } from '../src/services/evaluation/apm-report.ts'
import {
  apmTable,
  compareText,
  markdownTable,
  steeringText,
} from '../src/services/evaluation/report-text.ts'

export const MODEL_CARD_FILE = 'README.md'

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

interface Stage {
  readonly command: string
  readonly base: string | null
  readonly data: { readonly name: string; readonly rows: number; readonly sha256: string }
  readonly hyperParameters: Readonly<Record<string, unknown>>
  readonly labelDropout?: number
  readonly result: {
    readonly steps: number
    readonly loss: number
    readonly evaluations: readonly { readonly loss: number }[]
  }
}

function stageTable(stages: readonly Stage[]): string {
  const rows = stages.map(({ command, data, hyperParameters: h, result, labelDropout }) => [
    command,
    `${data.name}: ${data.rows} rows, sha256 ${data.sha256.slice(0, 12)}…`,
    `${result.steps} steps × ${h.batchSize} rows`,
    `lr ${h.lr} ${h.lrSchedule}, warm-up ${h.warmupSteps}, β ${h.adamBeta1}/${h.adamBeta2}, decay ${h.weightDecay}, clip ${h.clipNorm}, seed ${h.seed}${labelDropout === undefined ? '' : `, label dropout ${labelDropout}`}`,
    result.loss.toFixed(3),
    result.evaluations.at(-1)?.loss.toFixed(3) ?? '–',
  ])
  return markdownTable(['stage', 'data', 'steps', 'settings', 'loss', 'validation loss'], rows)
}

function readManifest(home: string, name: string): ModelManifest {
  return ModelManifest.parse(readJson(join(home, 'models', name, 'steerlm.json')))
}

const FRONT = `---
license: apache-2.0
language: en
library_name: steerlm
---
`

/** Writes README.md into the folders of the language model and of the attribute model. */
export function writeModelCards(options: {
  readonly home: string
  readonly reports: string
}): void {
  const { home, reports } = options
  const steering = (name: string) => SteeringReport.parse(readJson(join(reports, `${name}.json`)))
  const apm = readJson(join(reports, 'apm.json')) as { figures: Record<string, ApmFigures> }
  const [step3, step4] = [steering('village-sft'), steering('village')]
  const lm = readManifest(home, 'village')
  const samples = step4.samples.map(
    ({ attribute, level, prompt, reply }) =>
      `- **${attribute} ${level}** – *${prompt}*\n  ${reply.replaceAll('\n', ' ')}`,
  )
  const card = `${FRONT}
# village

A small Llama that plays the people of a fantasy village and follows five sliders: ${lm.attributes.map(({ name }) => name).join(', ')} (0–4 each). Made from nothing by \`npm run demo:train\` on text that the project generates itself (\`src/datasets/village\`); no outside data is in it. The corpus has true attribute values; training saw only simulated raters' values and what the attribute model made of them.

Values that are not given take their defaults. Attribute values stand in a label line before the reply (template \`chat\`).

## How well the sliders work
Step 4 (bootstrapped, this model). Prompts are held out: no sentence of theirs is in the training data. \`meters\` read the true values from the text; \`apm\` is the attribute model that also labelled the training data, so it flatters.

${steeringText(step4)}

## Does bootstrapping help?
Step 3 (attribute-conditioned fine-tuning) against step 4, same prompts and seeds:

${compareText(step3, step4)}

## How it was made
${stageTable((lm.stages ?? []) as Stage[])}

\`config.json\` holds the shape; \`steerlm.json\` every setting and the label combinations seen. Weights are float16.

## Replies at both ends of each slider
${samples.join('\n')}

## Limits
It knows the village and nothing else, in English. Facts of the village (prices, directions) are learnt by heart and can be wrong. Longer replies wander through small talk. A player's own special tokens are read as such.
`
  writeFileSync(join(home, 'models', 'village', MODEL_CARD_FILE), card)
  const judge = readManifest(home, 'village-apm')
  const apmCard = `${FRONT}
# village-apm

The attribute prediction model of \`village\`: one linear layer on the last token's hidden state, all weights trained by masked squared error on simulated ratings (three of twelve raters a reply, with bias, noise, disagreement and gaps).

Held-out rated replies. The ceiling is the correlation of the true values with the raters' means: what the raters' noise allows.

${apmTable(apm.figures)}

${stageTable((judge.stages ?? []) as Stage[])}
${judge.calibration ? `\n## Calibration\n\nOn the replies held back from its training.\n\n${calibrationTable(judge.calibration)}\n` : ''}`
  writeFileSync(join(home, 'models', 'village-apm', MODEL_CARD_FILE), apmCard)
}
