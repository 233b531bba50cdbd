import { isDeepStrictEqual } from 'node:util'
import { type Message, message } from '../redfish/messages/message.ts'
import { isObject, type Json, type JsonObject } from '../redfish/resource.ts'
import type { Occurrence } from './occurrence.ts'

/** A resource that was there and is: what of it is otherwise now, in the words that there are for it. */
export function ofMembers(uri: string, now: JsonObject, was: JsonObject): Occurrence[] {
  const names = [...new Set([...Object.keys(now), ...Object.keys(was)])]
  const differs = names.filter((name) => !isDeepStrictEqual(now[name], was[name]))
  const isOther = differs.some((name) => name !== 'PowerState' && name !== 'Status')
  return [
    ...(differs.includes('PowerState') ? ofPower(uri, now['PowerState']) : []),
    ...(differs.includes('Status') ? ofStatus(uri, now['Status'], was['Status']) : []),
    ...(isOther ? [changed(uri)] : []),
  ]
}

function ofPower(origin: string, state: Json | undefined): Occurrence[] {
  switch (textOf(state)) {
    case 'On':
      return [{ message: message('ResourceEvent.ResourcePoweredOn', origin), origin }]
    case 'Off':
      return [{ message: message('ResourceEvent.ResourcePoweredOff', origin), origin }]
    case 'PoweringOn':
      return [{ message: message('ResourceEvent.ResourcePoweringOn', origin), origin }]
    case 'PoweringOff':
      return [{ message: message('ResourceEvent.ResourcePoweringOff', origin), origin }]
    case 'Paused':
      return [{ message: message('ResourceEvent.ResourcePaused', origin), origin }]
    default:
      return [changed(origin)]
  }
}

export function ofStatus(origin: string, now: Json | undefined, was: Json | undefined): Occurrence[] {
  const { State = null, Health = null } = isObject(now) ? now : {}
  const { State: oldState = null, Health: oldHealth = null } = isObject(was) ? was : {}
  const state =
    State === oldState ? [] : [message('ResourceEvent.ResourceStateChanged', origin, textOf(State))]
  return [...state, ...(Health === oldHealth ? [] : healthMessage(origin, Health))].map((one) => ({
    message: one,
    origin,
  }))
}

function healthMessage(origin: string, health: Json): Message[] {
  const text = textOf(health)
  switch (text) {
    case 'OK':
      return [message('ResourceEvent.ResourceStatusChangedOK', origin, text)]
    case 'Warning':
      return [message('ResourceEvent.ResourceStatusChangedWarning', origin, text)]
    case 'Critical':
      return [message('ResourceEvent.ResourceStatusChangedCritical', origin, text)]
    default:
      return []
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : 'null'
}

export function changed(origin: string): Occurrence {
  return { message: message('ResourceEvent.ResourceChanged'), origin }
}
