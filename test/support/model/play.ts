import { buffer } from 'node:stream/consumers'
import { type Component, findComponent } from '../../../src/bmc/bmc.ts'
import { buildBundle } from '../../../src/image/build/bundle.ts'
import { timestamp } from '../../../src/lib/clock.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { unreachable } from '../../../src/lib/result.ts'
import { multipartBody, pushParts } from '../multipart.ts'
import { action, pick, type Request, requestsTo } from './pointed.ts'
import type { Operation, Versions } from './script.ts'
import type { World } from './world.ts'

const IMAGE_BYTES = 3_000

/** Lets one operation happen, and tells what was done and answered. */
export async function play(world: World, operation: Operation): Promise<string> {
  const told = JSON.stringify(operation)
  if (operation.do === 'wait') {
    await world.clock.advance(operation.s * 1_000)
    return told
  }
  if (operation.do === 'die') {
    await world.die()
    return told
  }
  const request = await requestOf(world, operation)
  if (request === undefined) return `${told}: nothing to do`
  const { status } = await world.send(request)
  // A reset answers first, and begins then.
  await world.clock.advance(1)
  const { method, url, body } = request
  const said = Buffer.isBuffer(body) ? '' : JSON.stringify(body ?? {})
  return `${told}: ${method} ${url} ${said} is answered ${status}`
}

async function requestOf(
  world: World,
  operation: Exclude<Operation, { readonly do: 'wait' | 'die' }>,
): Promise<Request | undefined> {
  const { bmc, clock } = world
  switch (operation.do) {
    case 'push':
      return pushOf(await imageOf(world, operation.versions), operation.ask)
    case 'push raw': {
      const { ApplyTime, ForceUpdate } = operation.ask
      const window = { ...windowOf(clock.now(), 30, 300) }
      const HttpPushUriOptions = { ForceUpdate, HttpPushUriApplyTime: { ApplyTime, ...window } }
      await world.send({ method: 'PATCH', url: uris.updateService, body: { HttpPushUriOptions } })
      const headers = { 'content-type': 'application/octet-stream' }
      const body = await imageOf(world, operation.versions)
      return { method: 'POST', url: uris.rawPush, headers, body }
    }
    case 'pull':
      return pullOf(world.offer(await imageOf(world, operation.versions), operation.source), operation.ask)
    case 'pull a kept image': {
      const id = pick([...bmc.state.localImages.keys()], operation.at)
      return id === undefined ? undefined : pullOf(uris.localImageData(id), operation.ask)
    }
    case 'reset':
      return resetOf(operation.resource, operation.type)
    case 'move the window': {
      const window = windowOf(clock.now(), operation.inS, operation.forS)
      const body = { '@Redfish.MaintenanceWindow': window }
      return { method: 'PATCH', url: uris.updateService, body }
    }
    case 'meddle': {
      const all = requestsTo(bmc, operation.at)
      return all[operation.how % all.length]
    }
    default:
      return unreachable(operation)
  }
}

export function pushOf(image: Buffer, ask: JsonObject): Request {
  const { headers, body } = multipartBody(pushParts(image, ask))
  return { method: 'POST', url: uris.multipartPush, headers, body }
}

function pullOf(ImageURI: string, ask: JsonObject): Request {
  return action(uris.updateService, 'UpdateService.SimpleUpdate', { ImageURI, ...ask })
}

export function resetOf(resource: string, ResetType: string): Request {
  const name = resource.startsWith(`${uris.systems}/`) ? 'ComputerSystem.Reset' : 'Manager.Reset'
  return action(resource, name, { ResetType })
}

export function windowOf(now: number, inS: number, forS: number): JsonObject {
  return {
    MaintenanceWindowStartTime: timestamp(now + inS * 1_000),
    MaintenanceWindowDurationInSeconds: forS,
  }
}

/** An image with such versions, which no other has. */
export function imageOf({ bmc }: World, versions: Versions): Promise<Buffer> {
  const components = Object.entries(versions).flatMap(([id, version]) => {
    const component = findComponent(bmc, id)
    if (component === undefined) return []
    const { softwareId } = component
    return [
      {
        name: id,
        softwareId,
        version: versionOf(component, version, bmc.state.version),
        sizeBytes: IMAGE_BYTES,
      },
    ]
  })
  return buffer(buildBundle(components))
}

function versionOf(
  { now, lowestSupportedVersion, factory }: Component,
  version: Versions[string],
  counter: number,
): string {
  switch (version) {
    case 'newer':
      return `GXZ${100 + counter}`.replace(/^GXZ/, /^\d/.test(factory.version) ? '9' : 'GXZ') + '.0.0'
    case 'same':
      return now.version
    case 'older':
      return lowestSupportedVersion ?? now.version
    case 'too old':
      return '0.0.1'
    default:
      return unreachable(version)
  }
}
