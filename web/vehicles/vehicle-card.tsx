import type { JSX } from 'preact'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import type { ConnectedChannel, HistoryInfo } from '../../shared/contract/vehicle-api.ts'
import { formatBitRate, formatCodec, formatSpan, formatTime } from '../format.ts'
import { streams } from '../model.ts'
import { hrefOf } from '../route.ts'
import { language, text } from '../text/text.ts'
import { Pill } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'
import { shownSim } from './channel-name.ts'

type CardProps = { sim: string; channels: ConnectedChannel[]; histories: HistoryInfo[] }

/** One vehicle with those of its channels that are connected. */
export function VehicleCard({ sim, channels, histories }: CardProps): JSX.Element {
  const words = text.value.vehicles
  const [first] = channels
  const sorted = channels.toSorted((a, b) => a.channel - b.channel || (a.door < b.door ? 1 : -1))
  return (
    <section class="card card-flush" aria-label={shownSim(sim)}>
      <h2 class="vehicle-title">
        {shownSim(sim)} {first && <span class="muted small">{words.versionName[first.version]}</span>}
      </h2>
      <table class="table">
        <thead>
          <tr>
            <th>{words.channel}</th>
            <th>{words.door}</th>
            <th>{words.since}</th>
            <th class="number">{words.figures}</th>
            <th class="number">{words.viewers}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((channel) => (
            <ChannelRow key={channel.name} channel={channel} histories={histories} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function ChannelRow({ channel, histories }: { channel: ConnectedChannel; histories: HistoryInfo[] }) {
  const words = text.value.vehicles
  const now = useSeconds()
  const { name, sim, door, connectedAt } = channel
  const played = histories.find(({ vehicle, state }) => `replay-${vehicle}` === name && state !== 'over')
  const stream = streams.value.value?.find((one) => one.name === (played?.stream ?? name))
  return (
    <tr>
      <td data-label={words.channel}>
        <a
          class="channel-link"
          href={hrefOfChannel(name, played)}
          aria-label={words.openAria(shownSim(sim), channel.channel)}
        >
          {words.channelNumber(channel.channel)}
        </a>{' '}
        {stream && stream.recordings.length > 0 && <Pill tone="rec">{text.value.live.rec}</Pill>}
      </td>
      <td data-label={words.door}>
        <Pill tone={door === 'live' ? 'ok' : 'busy'}>{words.doorName[door]}</Pill>
      </td>
      <td data-label={words.since}>
        <span>
          {formatTime(connectedAt, language.value)}
          <span class="muted small"> · {formatSpan(Math.max(0, now.value - connectedAt))}</span>
        </span>
      </td>
      <td class="number" data-label={words.figures}>
        {stream ? <Figures stream={stream} /> : text.value.none}
      </td>
      <td class="number" data-label={words.viewers}>
        {stream?.viewers ?? text.value.none}
      </td>
    </tr>
  )
}

/** What was asked for here is shown beside the live channel, what came by itself is a stream of its own. */
function hrefOfChannel(name: string, played: HistoryInfo | undefined): string {
  return played ? hrefOf('vehicles', played.vehicle, 'history') : hrefOf('vehicles', name)
}

/** `H.264 352×288 · 25.0 fps · 0.5 Mb/s` */
function Figures({ stream: { video, fps, bitsPerSecond } }: { stream: StreamInfo }): JSX.Element {
  return (
    <span class="channel-figures">
      {video && <span>{formatCodec(video.codec)}</span>}
      {video && video.width > 0 && (
        <span>
          {video.width}×{video.height}
        </span>
      )}
      <span>{fps.toFixed(1)} fps</span>
      <span>{formatBitRate(bitsPerSecond)}</span>
    </span>
  )
}
