import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BeatsyncRefusal, BeatsyncResult } from '../../shared/contract/beatsync-api.ts'
import { reasonTexts } from '../../shared/contract/reason-texts.ts'
import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { download } from './archive.ts'
import { type Output, Progress, print } from './output.ts'
import { putUpload } from './put-upload.ts'
import type { Server } from './server.ts'
import { inLanguage, type Words } from './words.ts'

export type BeatsyncOptions = { output: string; variant?: string[]; exact?: boolean; priority?: string }

const askEveryMs = 300

/** `edgereel beatsync DANCE BGM`: uploads both, follows the task, downloads what it made. */
export async function beatsync(
  server: Server,
  output: Output,
  files: { dance: string; bgm: string },
  options: BeatsyncOptions,
) {
  const dance = await putUpload(server, output, files.dance)
  const bgm = await putUpload(server, output, files.bgm)
  const { variant: variants, exact, priority } = options
  const asked = { kind: 'beatsync', dance, bgm, ...JSON.parse(JSON.stringify({ variants, exact, priority })) }
  const task = await follow(server, output, await server.call<Task>('POST', '/v1/tasks', asked))
  if (task.status === 'FAILED') throw failureOf(task, output)
  const result = task.result as BeatsyncResult
  const name = basename(files.dance).replace(/\.[^.]*$/, '')
  const saved: string[] = []
  for (const [variant, { download: from }] of Object.entries(result.variants)) {
    const path = resolve(join(options.output, `${name}-${variant}.mp4`))
    await download(server, output, from, path)
    saved.push(path)
  }
  print(output, { ...task, files: saved }, () => [summary(result), ...saved].join('\n'))
}

async function follow(server: Server, output: Output, first: Task): Promise<Task> {
  const progress = new Progress(output)
  let task = first
  while (task.status === 'PENDING' || task.status === 'PROCESSING') {
    const waiting = inLanguage({ en: 'waiting', zh: '排队中' })
    progress.show(
      task.progress,
      inLanguage({ en: task.message, zh: task.messageZh ?? task.message }) || waiting,
    )
    await sleep(askEveryMs)
    task = await server.call<Task>('GET', `/v1/tasks/${encodeURIComponent(task.id)}`)
  }
  progress.done()
  return task
}

function summary({ variants, cached }: BeatsyncResult): string {
  const found = Object.values(variants)[0]
  if (!found) return ''
  const { offsetMs, score, driftPpm } = found
  const from = cached ? inLanguage({ en: ', from the cache', zh: '，来自缓存' }) : ''
  return inLanguage({
    en: `the music begins at ${(offsetMs / 1000).toFixed(3)} s of the video (score ${score}, drift ${driftPpm} ppm)${from}`,
    zh: `音乐始于视频的 ${(offsetMs / 1000).toFixed(3)} 秒（得分 ${score}，漂移 ${driftPpm} ppm）${from}`,
  })
}

function failureOf(task: Task, output: Output): AppError {
  if (output.json) print(output, task, () => '')
  const { en, zh } = wordsOf(task)
  return new AppError('FailedPrecondition', en, { zh })
}

/** The sentence of the task; of a refusal also where the music might be. */
function wordsOf({ reason, detail, message, messageZh, result }: Task): Words {
  const general = reason ? reasonTexts[reason] : { en: '', zh: '' }
  const places = ((result as BeatsyncRefusal | undefined)?.candidates ?? [])
    .map(({ offsetMs, score }) => `${(offsetMs / 1000).toFixed(3)} s (${score.toFixed(1)})`)
    .join(', ')
  const tail = (words: string) => (places ? ` ${words}: ${places}` : '')
  return {
    en: `${message || `${general.en} ${detail ?? ''}`}${tail('Best places found')}`,
    zh: `${messageZh ?? general.zh}${tail('最可能的位置')}`,
  }
}
