import type { ComponentChildren, JSX } from 'preact'
import { noFilters, setFilters } from '../archive/archive-model.ts'
import { formatBitRate, formatBytes, formatCodec, formatDateTime } from '../format.ts'
import { streams, vehicles } from '../model.ts'
import { hrefOf } from '../route.ts'
import { language, text } from '../text/text.ts'
import { Facts } from '../ui/parts.tsx'

/** What is known of a channel, beside its picture. */
export function ChannelFacts({ name }: { name: string }): JSX.Element {
  return (
    <aside class="card">
      <h2>{text.value.vehicles.about}</h2>
      <Facts rows={[...connectionRows(name), ...pictureRows(name)]} />
      <a
        class="button button-plain"
        href={hrefOf('archive')}
        onClick={() => setFilters({ ...noFilters, stream: name })}
      >
        {text.value.live.inArchive}
      </a>
    </aside>
  )
}

type Rows = [string, ComponentChildren][]

function connectionRows(name: string): Rows {
  const words = text.value.vehicles
  const { connected = [], vehicles: wanted = [] } = vehicles.value.value ?? {}
  const channel = connected.find((one) => one.name === name)
  const call = wanted.find((one) => one.name === name)
  const none = text.value.none
  return [
    [words.version, channel ? words.versionName[channel.version] : none],
    [words.door, channel ? words.doorName[channel.door] : none],
    [words.since, channel ? formatDateTime(channel.connectedAt, language.value) : none],
    [
      words.received,
      channel ? `${words.packets(channel.packets.toLocaleString())}, ${formatBytes(channel.bytes)}` : none,
    ],
    [words.holders, call?.holders ?? 0],
    ...(call && call.repeats > 0 ? ([[words.repeats, call.repeats]] as Rows) : []),
  ]
}

function pictureRows(name: string): Rows {
  const words = text.value.live
  const stream = streams.value.value?.find((one) => one.name === name)
  if (!stream) return []
  const { video, audio, fps, bitsPerSecond, gaps, viewers } = stream
  return [
    [words.codec, video ? `${formatCodec(video.codec)} (${video.codecString})` : text.value.none],
    [words.size, video && video.width > 0 ? `${video.width} × ${video.height}` : text.value.none],
    ...(audio ? ([[words.audio, `${formatCodec(audio.codec)}, ${audio.sampleRate} Hz`]] as Rows) : []),
    [words.rate, `${fps.toFixed(1)} fps`],
    [words.bitrate, formatBitRate(bitsPerSecond)],
    [words.gaps, gaps],
    [words.viewersLabel, viewers],
  ]
}
