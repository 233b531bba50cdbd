import { onTestFinished } from 'vitest'
import { eventName } from '../../src/devices/amt/audit-record.ts'
import { Connections } from '../../src/devices/amt/connection.ts'
import { first, Management } from '../../src/devices/amt/management.ts'
import { ordinaryTimes } from '../../src/devices/amt/simulated/machine.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { type AmtPeerOptions, startAmtPeer } from './amt-peer.ts'

export const never = new AbortController().signal

/** A machine on a clock that the test moves, with somebody who asks it as a console does. */
export async function startMachine(options: AmtPeerOptions = {}) {
  const clock = new VirtualClock()
  const peer = await startAmtPeer({ clock, times: ordinaryTimes, ...options })
  const connections = new Connections({ clock, answerMs: 10_000 })
  onTestFinished(() => connections.close())
  const management = new Management(connections.send, peer.address, never)
  const power = async (): Promise<[state: string | undefined, available: readonly string[]]> => {
    const [service = new Map()] = await management.all(management.cim.ServiceAvailableToElement)
    return [first(service, 'PowerState'), service.get('AvailableRequestedPowerStates') ?? []]
  }
  const request = async (state: number): Promise<string | undefined> => {
    const document = management.cim.PowerManagementService.RequestPowerStateChange(state as 2)
    return first(await management.output(document), 'ReturnValue')
  }
  /** What of it is in its audit log. */
  const events = async (): Promise<string[]> => {
    const read = await peer.adapter.readAuditLog(peer.address, never)
    return read.ok ? read.value.map(eventName) : [read.problem.detail]
  }
  return { ...peer, clock, management, power, request, events }
}
