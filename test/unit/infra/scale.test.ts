import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Template } from '../../../infra/costs.ts'
import { fleet, limitsOf, scaleTable, withScale } from '../../../infra/scale.ts'
import { repository } from '../../support/modules.ts'
import { synthesised } from '../../support/synthesised.ts'

const template = synthesised().toJSON() as Template
const of = (what: string, cameras = fleet.cameras) =>
  limitsOf({ ...fleet, cameras }, template).find((limit) => limit.what.includes(what))

test('10,000 cameras of 30 s segments are 333 segments a second, and what the stack has is read from it', () => {
  expect(of('expire')?.asked).toBeCloseTo(333.3, 1)
  expect(of('runs of mux')).toMatchObject({ asked: 250, there: 50 })
  expect(of('calls of the API')?.there).toBe(200)
  const few = JSON.parse(
    JSON.stringify(template).replaceAll('"MaximumConcurrency":50', '"MaximumConcurrency":5'),
  )
  expect(limitsOf(fleet, few)[0]).toMatchObject({ what: 'runs of mux at once', there: 5 })
})

test('what is asked grows with the cameras; the first limit is the first of the list', () => {
  expect(of('PUTs', 20_000)?.asked).toBeCloseTo(2 * (of('PUTs')?.asked ?? 0), 5)
  const shares = limitsOf(fleet, template).map(({ asked, there }) => there / asked)
  expect(shares).toEqual(shares.toSorted((a, b) => a - b))
})

test('a thousand cameras need nothing to be set', () => {
  for (const { what, asked, there } of limitsOf({ ...fleet, cameras: 1000 }, template))
    expect(asked, what).toBeLessThanOrEqual(there)
})

test('the chapter of docs/operations.md is the one that is computed', async () => {
  const text = await readFile(join(repository, 'docs/operations.md'), 'utf8')
  const table = scaleTable(fleet, template)
  expect(text).toContain(table)
  expect(withScale(text, table)).toBe(text)
})
