/** What a judge measured in a reply, and how a figure stands in the report. */
import type { FigureWithInterval } from '../../../schemas/steering-report.ts'
import type { Interval } from '../../util/statistics.ts'
import type { Cell } from './steering-grid.ts'

/** A cell and what one judge measured in its reply, by attribute. */
export interface Measured {
  readonly cell: Cell
  readonly achieved: Readonly<Record<string, number>>
}

/** JSON has no NaN: an undefined figure is null. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

export const figure = ({ value, low, high }: Interval): FigureWithInterval => ({
  value: finite(value),
  low: finite(low),
  high: finite(high),
})
