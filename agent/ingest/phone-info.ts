import type { PhoneInfo } from '../../shared/contract/agent-api.ts'
import type { Phone } from './phone.ts'
import type { Moment } from './phone-session.ts'

const shownStates = {
  idle: 'ready',
  starting: 'starting',
  capturing: 'capturing',
  draining: 'capturing',
} as const

/** A phone as the API shows it. */
export function phoneInfo(phone: Phone, now: Moment): PhoneInfo {
  const { session, connection, recording, roundTripMs, fps } = phone
  const { capabilities } = connection ?? {}
  return {
    id: phone.name,
    stream: phone.name,
    address: connection?.address ?? '',
    state: session.connected ? shownStates[session.state] : 'lost',
    lastSeenAt: connection?.heardWallMs ?? now.wallMs,
    refused: session.refused,
    ...(capabilities?.model ? { model: capabilities.model } : {}),
    ...(capabilities && capabilities.resolutions.length > 0 ? { resolutions: capabilities.resolutions } : {}),
    ...(recording === undefined ? {} : { recording }),
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    ...(fps === undefined ? {} : { fps }),
    ...(session.message === undefined ? {} : { message: session.message }),
  }
}
