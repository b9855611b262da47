/** The report as text, as a comparison and as a page. */
import t from 'tap'
import type { SteeringReport } from '../../../schemas/steering-report.ts'
import { reportHtml } from '../../../src/services/evaluation/report-html.ts'
import {
  compareText,
  figureText,
  markdownTable,
  steeringText,
} from '../../../src/services/evaluation/report-text.ts'
import { evaluateFake, perfect } from './fake-steering.ts'

/** Half as far from 2 as was asked, and noisy by prompt. */
const half: Parameters<typeof evaluateFake>[0] = ({ attributes: a, messages }) => {
  const noise = (Number(/\d+/.exec(messages[0]!.content)![0]) % 5) / 5 - 0.4
  const squeeze = (value = 2) => 2 + (value - 2) / 2 + noise
  return { humor: squeeze(a.humor), toxicity: squeeze(a.toxicity) }
}

t.test('the text holds the figures, the baselines, the leakage and what was unseen', async (t) => {
  const text = steeringText(
    await evaluateFake(perfect, {
      combinations: [{ values: [0, 0] }],
      generate: async (request) => ({ text: JSON.stringify(perfect(request)), finished: false }),
    }),
  )
  t.match(text, /^fake: 80 replies to 8 prompts at temperature 0\.8/)
  t.match(text, /\| humor \| 1\.00 \[1\.00, 1\.00\] \| 1\.00 \[1\.00, 1\.00\] \| 4\.00/)
  t.match(text, /\| humor \| 1\.00 \| 0\.00 \|/, 'leakage row')
  t.match(text, /\d+ of \d+ requested combinations do not occur in the training data/)
  t.match(text, /80 replies were cut off/)
})

t.test('undefined figures print as a dash', async (t) => {
  const text = steeringText(await evaluateFake(() => ({ humor: 3, toxicity: 1 })))
  t.match(text, /\| humor \| – \[–, –\] \| 0\.00/)
  t.notMatch(text, /NaN|null|undefined/)
})

t.test('a comparison marks what differs by more than chance', async (t) => {
  const [one, two] = [await evaluateFake(half), await evaluateFake(perfect)]
  const named = (report: SteeringReport, model: string) => {
    return { ...report, settings: { ...report.settings, model } }
  }
  const text = compareText(named(one, 'step3'), named(two, 'step4'))
  const humor = text.split('\n').find((line) => line.startsWith('| humor'))!
  const header = text.split('\n').find((line) => line.startsWith('|  |'))!
  t.match(header, /Spearman step3 \| Spearman step4 \| range step3 \| range step4/)
  t.match(humor, /2\.00 \[2\.00, 2\.00\] \| 4\.00 \[4\.00, 4\.00\] \*/)
  t.notMatch(compareText(one, one).replace('* marks', ''), / \*/, 'nothing differs from itself')
  t.match(text, /By meters:/)
})

t.test('judges and attributes that only one report knows are left out', async (t) => {
  const report = await evaluateFake(perfect)
  const other = { ...report, judges: { apm: report.judges.meters! } }
  t.notMatch(compareText(report, other), /By/)
  const { humor } = report.judges.meters!.attributes
  const fewer = { meters: { ...report.judges.meters!, attributes: { humor: humor! } } }
  const text = compareText(report, { ...report, judges: fewer })
  t.match(text, /\| humor/)
  t.notMatch(text, /\| toxicity/)
})

t.test('numbers are rounded without a minus before zero', async (t) => {
  t.equal(figureText(-0.001), '0.00')
  t.equal(figureText(-0.004, 3), '-0.004')
  t.equal(figureText(-0.4, 0), '0')
  t.equal(figureText(null), '–')
})

t.test('a cell of a table cannot end its column', async (t) => {
  t.equal(markdownTable(['a|b'], [['c|d']]), '| a\\|b |\n| --- |\n| c\\|d |')
})

const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length

t.test('the page plots every attribute, the leakage, the baselines and samples', async (t) => {
  const page = reportHtml(await evaluateFake(half))
  t.equal(count(page, /<polyline class="curve"/g), 2)
  t.equal(count(page, /<polygon class="band"/g), 2)
  t.equal(count(page, /<rect class="(rises|falls)"/g), 4)
  t.equal(count(page, /<blockquote>/g), 4)
  t.match(page, /shuffled requests/)
  t.match(page, /prefers-color-scheme: dark/)
  t.notMatch(page, /NaN|undefined|null/)
  // Half of the way at both ends: 1 and 3 on an axis from 0 to 4, before the noise of the prompt.
  t.match(page, /requested 0: 0\.\d\d \[/)
})

t.test('the page needs nothing from outside and runs no scripts', async (t) => {
  const page = reportHtml(await evaluateFake(perfect))
  t.notMatch(page, /<script|<link|<img|<iframe|@import|url\(|https?:/)
  t.match(page, /Content-Security-Policy" content="default-src 'none'/)
})

t.test('what models and users wrote is escaped everywhere', async (t) => {
  const evil = '"><script>alert(1)</script>'
  const report = await evaluateFake(perfect, { model: evil })
  const { meters } = report.judges
  const samples = report.samples.map((sample) => ({ ...sample, reply: evil, attribute: evil }))
  const renamed = Object.fromEntries(
    Object.entries(meters!.attributes).map(([name, figures]) => [`${name}${evil}`, figures]),
  )
  const shuffled = Object.fromEntries(
    Object.entries(meters!.baselines.shuffled).map(([name, f]) => [`${name}${evil}`, f]),
  )
  const judge = { ...meters!, attributes: renamed, baselines: { shuffled, promptOnly: null } }
  const page = reportHtml({
    ...report,
    judges: { [evil]: judge },
    replyWords: { [evil]: [{ level: 0, words: 1 }] },
    samples,
  })
  t.notMatch(page, /<script/)
  t.notMatch(page, /<b>\d/)
  t.match(page, /&#60;b&#62;\d/)
  t.match(page, /&#34;&#62;&#60;script&#62;/)
})

t.test('a dead model has a page too', async (t) => {
  const page = reportHtml(await evaluateFake(() => ({ humor: 3, toxicity: 1 })))
  t.notMatch(page, /NaN|undefined|null/)
})
