import { Command, CommanderError } from 'commander'
import { addAmtDeviceCommand } from './amt-device.ts'
import { addDataCommand } from './data.ts'
import { addDemoCommand } from './demo.ts'
import { addImageCommand } from './image.ts'
import { addIotDeviceCommand } from './iot-device.ts'
import { addPushCommand } from './push.ts'
import { addServeCommand } from './serve.ts'
import type { Finish, Terminal } from './terminal.ts'

/** The command line: takes the process's arguments, resolves to its exit code. */
export function createProgram(terminal: Terminal): (argv: readonly string[]) => Promise<number> {
  return async (argv) => {
    let exitCode = 0
    const finish: Finish = (code) => {
      exitCode = code
    }
    const program = new Command('redflash')
      .description('A firmware-update emulator that behaves like a BMC’s Redfish service')
      .configureOutput({
        writeOut: (text) => terminal.out.write(text),
        writeErr: (text) => terminal.err.write(text),
      })
      .exitOverride()
      .showHelpAfterError()
    addServeCommand(program, terminal, finish)
    addImageCommand(program, terminal, finish)
    addPushCommand(program, terminal, finish)
    addDataCommand(program, terminal, finish)
    addDemoCommand(program, terminal, finish)
    addIotDeviceCommand(program, terminal, finish)
    addAmtDeviceCommand(program, terminal, finish)
    try {
      await program.parseAsync([...argv])
    } catch (error) {
      // Commander has said why: wrong usage, or help that was asked for.
      if (error instanceof CommanderError) return error.exitCode
      throw error
    }
    return exitCode
  }
}
