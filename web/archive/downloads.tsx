import type { JSX } from 'preact'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { links } from '../api.ts'
import { formatBytes } from '../format.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'

type Link = { href: string; name: string; hint: string }

/** The files of a recording: a list per stream when there are several. */
export function Downloads({ recording }: { recording: RecordingDetail }): JSX.Element | null {
  const streams = recording.streams.filter((stream) => stream.export.files.length > 0)
  if (streams.length === 0) return null
  return (
    <section class={streams.length > 1 ? 'card downloads-many' : 'card'}>
      <h2>{text.value.archive.downloads}</h2>
      {streams.map((stream) => (
        <div key={stream.name} class="download-group">
          {streams.length > 1 && <h3>{stream.name}</h3>}
          {linksOf(recording.id, stream).map((link) => (
            <a key={link.href} class="download" href={link.href} download>
              <Icon name="download" />
              <b>{link.name}</b>
              <span class="muted">{link.hint}</span>
            </a>
          ))}
          {soundNotesOf(stream).map((note) => (
            <p key={note} class="muted small">
              {text.value.archive.soundNote(note)}
            </p>
          ))}
        </div>
      ))}
    </section>
  )
}

/** What is not as it should be with the sound of its files; one line, however many parts say the same. */
function soundNotesOf({ export: { files } }: RecordingDetail['streams'][number]): string[] {
  return [...new Set(files.flatMap(({ soundNote }) => soundNote ?? []))]
}

function linksOf(id: string, stream: RecordingDetail['streams'][number]): Link[] {
  const words = text.value.archive
  const files = stream.export.files
  const partOf = (index: number): string =>
    files.length > 1 ? ` · ${words.part(index + 1, files.length)}` : ''
  const raw = (codec: string): string =>
    /^h[ev][cv]1/.test(codec) || codec === 'h265' ? 'H.265' : words.h264
  return [
    ...files.map((file, index) => ({
      href: links.download(id, stream.name, file.part, 'mp4'),
      name: words.mp4 + partOf(index),
      hint: `${formatBytes(file.mp4Bytes)} · ${file.width}×${file.height}`,
    })),
    ...files.map((file, index) => ({
      href: links.download(id, stream.name, file.part, 'h264'),
      name: raw(file.codec) + partOf(index),
      hint: words.h264Hint,
    })),
    { href: links.timestamps(id, stream.name), name: words.csv, hint: words.csvHint },
  ]
}
