import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ConnectedChannel } from '../../shared/contract/vehicle-api.ts'
import { goTo } from '../route.ts'
import { text } from '../text/text.ts'
import { Button, Field } from '../ui/parts.tsx'
import { channelName, channelNumber, paddedSim, shownSim, type Version, versions } from './channel-name.ts'

/** The way to a channel by its numbers, connected or not. */
export function OpenChannel({ connected }: { connected: ConnectedChannel[] }): JSX.Element {
  const [sim, setSim] = useState('')
  const [channel, setChannel] = useState('1')
  const [chosen, setVersion] = useState<Version>()
  const words = text.value.vehicles
  const version = chosen ?? versionOf(sim, connected)
  const padded = paddedSim(sim, version)
  const number = channelNumber(channel)
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (padded !== undefined && number !== undefined) goTo('vehicles', channelName(padded, number))
  }
  return (
    <section class="card">
      <h2>{words.openTitle}</h2>
      <p class="muted small">{words.openBody}</p>
      <form class="open-channel" onSubmit={submit}>
        <Field
          label={words.sim}
          hint={words.simHint}
          error={sim !== '' && padded === undefined ? words.simBad : undefined}
        >
          <input
            type="text"
            name="sim"
            inputMode="numeric"
            autocomplete="off"
            maxLength={20}
            required
            value={sim}
            onInput={(event) => setSim(event.currentTarget.value)}
          />
        </Field>
        <div class="fields">
          <Field label={words.channel} error={number === undefined ? words.channelBad : undefined}>
            <input
              type="text"
              name="channel"
              inputMode="numeric"
              maxLength={3}
              required
              value={channel}
              onInput={(event) => setChannel(event.currentTarget.value)}
            />
          </Field>
          <Field label={words.version}>
            <select
              value={version}
              onChange={(event) => setVersion(event.currentTarget.value === '2019' ? 2019 : 2016)}
            >
              {versions.map((year) => (
                <option key={year} value={year}>
                  {year}
                </option>
              ))}
            </select>
          </Field>
        </div>
        <Button kind="primary" submit disabled={padded === undefined || number === undefined}>
          {words.open}
        </Button>
      </form>
    </section>
  )
}

/** As that vehicle was seen; else by its length. */
function versionOf(sim: string, connected: ConnectedChannel[]): Version {
  const bare = shownSim(sim.trim().toLowerCase())
  const seen = connected.find((channel) => shownSim(channel.sim) === bare)
  return seen?.version ?? (bare.length > 12 ? 2019 : 2016)
}
