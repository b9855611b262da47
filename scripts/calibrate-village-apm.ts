/**
 * Calibrates the bundled attribute model on held-out rated replies of the village that its report does not use
 * (another seed), and writes the result into its `steerlm.json` and its card:
 *   node scripts/calibrate-village-apm.ts [--model models/village-apm] [--replies 2000] [--seed 2]
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { calibrateScorer, type RatedTokens } from '../src/apm/calibrate-scorer.ts'
import { openModelFolder } from '../src/commands/workplace.ts'
import { generateVillage } from '../src/datasets/village/index.ts'
import { calibrationTable } from '../src/registry/model-card.ts'
import { writeManifest } from '../src/registry/model-folder.ts'

const { values } = parseArgs({
  options: {
    model: {
      type: 'string',
      default: fileURLToPath(new URL('../models/village-apm', import.meta.url)),
    },
    replies: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '2' },
  },
})
const { manifest, template } = await openModelFolder(values.model)
const { attributes } = manifest
const village = generateVillage({
  seed: Number(values.seed),
  heldoutRated: Number(values.replies),
})
const rows: RatedTokens[] = []
for (const { messages } of village.heldoutRated) {
  messages.forEach((message, i) => {
    const rated = message.attributes
    if (!rated) return
    rows.push({
      prompt: messages.find(({ role }) => role === 'user')?.content ?? '',
      tokens: template.scoringTokens(messages.slice(0, i + 1)),
      labels: attributes.map(({ name }) => rated[name] ?? NaN),
    })
  })
}
const calibration = await calibrateScorer(values.model, rows, { attributes })
await writeManifest(values.model, { ...manifest, calibration })

const card = join(values.model, 'README.md')
const heading = '## Calibration'
const before = (await readFile(card, 'utf8')).split(`\n${heading}\n`)[0]!.trimEnd()
const text = `${heading}

On ${rows.length} other held-out replies (\`scripts/calibrate-village-apm.ts\`, seed ${values.seed}).

${calibrationTable(calibration)}
`
await writeFile(card, `${before}\n\n${text}`)
console.log(calibrationTable(calibration))
