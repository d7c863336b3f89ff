import { agent } from '../api.ts'
import { formatTime } from '../format.ts'
import { recordings, streams } from '../model.ts'
import { hrefOf } from '../route.ts'
import { language, text } from '../text/text.ts'
import { attempt, tell } from '../ui/notice.tsx'

const pastText = '-30s'

/** Starts one recording of the streams, now or 30 s ago; true when the claim is on the disk. */
export function startRecording(names: string[], options: { title?: string; past?: boolean } = {}) {
  return attempt(async () => {
    const title = options.title?.trim()
    const started = await agent.startRecording({
      streams: names,
      ...(title && { title }),
      ...(options.past && { from: pastText }),
    })
    const first = started.streams[0]
    const label = title || names.join(', ')
    tell(
      first && first.state !== 'waiting'
        ? text.value.live.started(label, formatTime(first.startsAt, language.value))
        : text.value.live.startedWaiting(label),
    )
    await Promise.all([recordings.refresh(), streams.refresh()])
  })
}

export function stopRecording(id: string) {
  return attempt(async () => {
    await agent.stopRecording(id)
    tell(text.value.live.stopped, { href: hrefOf('archive', id), words: text.value.live.showIt })
    await Promise.all([recordings.refresh(), streams.refresh()])
  })
}
