import { onTestFinished } from 'vitest'
import { decodeRecord, eventOf } from '../../src/devices/amt/audit-record.ts'
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
  const events = (): (string | undefined)[] => {
    const { auditLog } = peer.machine
    const found: (string | undefined)[] = []
    while (found.length < auditLog.count) {
      const records = auditLog.read(found.length + 1).map(decodeRecord)
      found.push(...records.map((record) => record && eventOf(record)))
    }
    return found
  }
  return { ...peer, clock, management, power, request, events }
}
