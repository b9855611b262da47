/**
 * Reads the TAP stream of a whole run (files are subtests of the run, tests are subtests of a file)
 * and counts tests: `t.test` at the top of a file. A file that fails outside its tests or holds none
 * counts as one failed test, and so does a planned file that never ended: nothing that broke is left
 * out of the sum.
 */

export interface TestCounts {
  passed: number
  failed: number
  skipped: number
}

export interface FileResult {
  readonly name: string
  readonly ok: boolean
  /** As tap measured it; NaN where it says nothing. */
  readonly seconds: number
  /** Names of the failed tests, or what else was wrong. */
  readonly failures: readonly string[]
  /** The failed assertions with their diagnostics, and the tests around them. */
  readonly report: readonly string[]
}

export interface TapReader {
  /** Takes one line; gives the result of a file where the line ends one. */
  push(line: string): FileResult | undefined
  /** The sums at the end of the stream. */
  finish(): TestCounts
}

const RESULT = /^(?<indent> *)(?<not>not )?ok \d+(?: - (?<title>.*))?$/
const DIRECTIVE = /# (?:SKIP|TODO)\b/i
/** Subtests carry their time; assertions do not. */
const SUBTEST_TIME = / # time=[\d.]+m?s(?: \{)?$/
const TIME = / # time=([\d.]+)(m?s)/
const NO_TESTS = /# SKIP no tests found/i

/** Copies failed results and, of assertions, the YAML block below. */
function createFailureReport() {
  const lines: string[] = []
  let waiting: string | undefined // indentation of a failed assertion, on the line after it
  let inside: string | undefined // indentation of the YAML block being copied
  return {
    lines,
    push(line: string): void {
      if (waiting !== undefined && line === `${waiting}  ---`) inside = waiting
      waiting = undefined
      if (inside !== undefined) {
        lines.push(line)
        if (line === `${inside}  ...`) inside = undefined
        return
      }
      const result = RESULT.exec(line)?.groups
      if (!result?.not || DIRECTIVE.test(line)) return
      lines.push(line)
      // The block of a subtest would only say where it stands.
      if (!SUBTEST_TIME.test(line)) waiting = result.indent
    },
  }
}

function createFile() {
  return {
    passed: 0,
    failures: [] as string[],
    skipped: 0,
    report: createFailureReport(),
    /** Result lines so far: tap repeats a line where a test's own output looks like TAP. */
    seen: new Set<string>(),
  }
}

function secondsIn(title: string): number {
  const [, number, unit] = TIME.exec(title) ?? []
  return Number(number) / (unit === 'ms' ? 1000 : 1)
}

export function createTapReader(): TapReader {
  const total: TestCounts = { passed: 0, failed: 0, skipped: 0 }
  let [planned, ended, bailedOut] = [0, 0, false]
  let file = createFile()

  function countTest(title: string, notOk: boolean): void {
    if (DIRECTIVE.test(title)) file.skipped++
    else if (notOk) file.failures.push(title.replace(SUBTEST_TIME, ''))
    else file.passed++
  }

  function endFile(title: string, notOk: boolean): FileResult {
    const { passed, failures, skipped, report } = file
    const name = title.replace(/ # .*$/, '')
    if (failures.length === 0 && NO_TESTS.test(title)) failures.push('no tests found')
    else if (failures.length === 0 && notOk) failures.push('failed outside its tests')
    total.passed += passed
    total.failed += failures.length
    total.skipped += skipped
    ended++
    file = createFile()
    const seconds = secondsIn(title)
    return { name, ok: failures.length === 0, seconds, failures, report: report.lines }
  }

  return {
    push(line) {
      const result = RESULT.exec(line)?.groups
      if (result && file.seen.has(line)) return undefined
      if (result) file.seen.add(line)
      file.report.push(line)
      const plan = /^1\.\.(\d+)/.exec(line)
      if (plan) planned = Number(plan[1])
      if (line.startsWith('Bail out!')) bailedOut = true
      const { indent, not, title = '' } = result ?? {}
      if (indent === '') return endFile(title, not !== undefined)
      if (indent?.length === 4) countTest(title, not !== undefined)
      return undefined
    },
    finish() {
      const failed = total.failed + Math.max(0, planned - ended)
      return { ...total, failed: bailedOut ? Math.max(1, failed) : failed }
    },
  }
}
