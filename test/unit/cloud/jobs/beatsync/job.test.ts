import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { BeatsyncResult } from '../../../../../shared/contract/beatsync-api.ts'
import { openApiRig } from '../../../../support/api-rig.ts'
import { alignCases, submit, taskOf, upload } from '../../../../support/beatsync-rig.ts'
import { probePackets } from '../../../../support/movie-judges.ts'
import { hasProgram } from '../../../../support/shared-data.ts'

const cases = alignCases()
const possible = cases.length > 0 && hasProgram('ffmpeg')

test.skipIf(!possible).each(cases)(
  '$name: the result is as the truth says',
  async ({ dance, bgm, truth }) => {
    await using rig = await openApiRig()
    const ids = {
      dance: await upload(rig, dance.split('/').at(-1) ?? '', readFileSync(dance)),
      bgm: await upload(rig, bgm.split('/').at(-1) ?? '', readFileSync(bgm)),
    }
    const { id, status } = await submit(rig, ids)
    expect(status).toBe('PENDING')
    const errors = await rig.jobs.drain({ queues: ['beatsync'] })
    expect(errors).toEqual([])
    const task = await taskOf(rig, id)
    if (truth.offset_ms === null || truth.overlap_s === null) {
      expect(task).toMatchObject({ status: 'FAILED', reason: 'PROCESSING_FAILED', detail: 'not_same_song' })
      expect((task.result as { candidates: unknown[] }).candidates).toHaveLength(2)
      expect(await rig.jobs.ports.queue.depth('beatsync')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
      return
    }
    expect(task, JSON.stringify(task)).toMatchObject({ status: 'SUCCESS', progress: 100 })
    const { variants, cached } = task.result as BeatsyncResult
    expect(cached).toBe(false)
    for (const variant of ['modular', 'v2'] as const) {
      const of = variants[variant]
      expect(Math.abs((of?.offsetMs ?? 1e9) - truth.offset_ms)).toBeLessThan(10)
      const [from, to] = truth.overlap_s
      expect(Math.abs((of?.overlap.fromMs ?? 0) - from * 1000)).toBeLessThan(20)
      expect(Math.abs((of?.overlap.toMs ?? 0) - to * 1000)).toBeLessThan(20)
      const found = await rig.ask('GET', of?.download ?? '', { token: rig.tokens.viewer })
      expect(found.status).toBe(302)
      const movie = await (
        await rig.fetch(new Request(`http://cloud${found.headers.get('location')}`))
      ).bytes()
      expect(movie).toHaveLength(of?.sizeBytes ?? 0)
      const sound = probePackets(movie, 'a')
      const lengthMs = (of?.cut.toMs ?? 0) - (of?.cut.fromMs ?? 0)
      expect(Math.abs((sound.at(-1)?.ptsMs ?? 0) + 21 - lengthMs)).toBeLessThan(50)
    }
    // The same once more: from the cache, at once, without a job.
    const again = await submit(rig, ids)
    expect(again).toMatchObject({ status: 'SUCCESS', result: { cached: true } })
  },
)
