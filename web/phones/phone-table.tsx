import type { JSX } from 'preact'
import type { PhoneInfo } from '../../shared/contract/agent-api.ts'
import { formatSpan } from '../format.ts'
import { hrefOf } from '../route.ts'
import { text } from '../text/text.ts'
import { Pill, type Tone } from '../ui/parts.tsx'

const tones: Record<PhoneInfo['state'], Tone> = {
  waiting: 'warn',
  ready: 'ok',
  starting: 'busy',
  capturing: 'rec',
  lost: 'warn',
}

export function PhoneTable({ phones }: { phones: PhoneInfo[] }): JSX.Element {
  const words = text.value.phones
  return (
    <section class="card card-flush">
      <h2>{words.list}</h2>
      <table class="table">
        <thead>
          <tr>
            <th>{words.model}</th>
            <th>{words.stateLabel}</th>
            <th class="number">{words.rate}</th>
            <th class="number" title={words.clockHint}>
              {words.clock}
            </th>
            <th class="number">{words.refused}</th>
          </tr>
        </thead>
        <tbody>
          {phones.map((phone) => (
            <PhoneRow key={phone.id} phone={phone} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function PhoneRow({ phone }: { phone: PhoneInfo }): JSX.Element {
  const words = text.value.phones
  const refused = Object.entries(phone.refused).filter(([, count]) => count > 0)
  const refusedTotal = refused.reduce((sum, [, count]) => sum + count, 0)
  const name = phone.model ?? words.unknownModel
  return (
    <tr>
      <td data-label={words.model}>
        <b>{phone.stream ? <a href={hrefOf('live', phone.stream)}>{name}</a> : name}</b>
        <span class="muted small block">{phone.address}</span>
        {phone.message && <span class="muted small block">{phone.message}</span>}
      </td>
      <td data-label={words.stateLabel}>
        <Pill tone={tones[phone.state]}>{words.state[phone.state]}</Pill>
      </td>
      <td class="number" data-label={words.rate}>
        {phone.fps === undefined ? text.value.none : phone.fps.toFixed(1)}
      </td>
      <td class="number" data-label={words.clock} title={words.clockHint}>
        {phone.roundTripMs === undefined
          ? text.value.none
          : text.value.plusMinus(formatSpan(Math.max(1, phone.roundTripMs / 2)))}
      </td>
      <td
        class="number"
        data-label={words.refused}
        title={refused.map(([why, n]) => `${why}: ${n}`).join('\n')}
      >
        {refusedTotal === 0 ? words.refusedNone : <span class="bad-text">{refusedTotal}</span>}
      </td>
    </tr>
  )
}
