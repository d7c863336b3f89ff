import type { RebuildStep } from '../../shared/contract/api.ts'
import { type Output, print } from './output.ts'
import type { Server } from './server.ts'
import { failure, inLanguage } from './words.ts'

const counted = ['segments', 'muxing', 'recordings', 'exports'] as const

/** `edgereel cloud rebuild`: step by step, so that an archive of any size fits into requests of seconds. */
export async function rebuild(server: Server, output: Output): Promise<void> {
  const sum = { segments: 0, muxing: 0, recordings: 0, exports: 0, failed: [] as RebuildStep['failed'] }
  let cursor: string | undefined
  do {
    const step = await server.call<RebuildStep>('POST', '/v1/rebuild', cursor === undefined ? {} : { cursor })
    for (const what of counted) sum[what] += step[what]
    sum.failed.push(...step.failed)
    for (const { key, error } of step.failed) process.stderr.write(`${key}: ${error}\n`)
    cursor = step.cursor
  } while (cursor !== undefined)
  print(output, sum, () =>
    inLanguage({
      en: `made again: ${sum.segments} segments, ${sum.recordings} recordings, ${sum.exports} exports; ${sum.muxing} segments are muxed anew`,
      zh: `已重建：${sum.segments} 个片段、${sum.recordings} 个录像、${sum.exports} 个导出；${sum.muxing} 个片段重新封装`,
    }),
  )
  if (sum.failed.length === 0) return
  throw failure('DataLoss', {
    en: `${sum.failed.length} objects could not be read: they are named above; the rest is there`,
    zh: `${sum.failed.length} 个对象无法读取（见上），其余已恢复`,
  })
}
