import { request } from "node:http";

/**
 * Asks the process behind an admin port whether it lives: a thread of its own answers, however busy its main loop is. Whatever it says is an answer, and so is a connection that it
 * took and then closed. Resolves with false where nobody takes the connection, and when the signal aborts: nothing of a process that is frozen, or whose host is gone, answers.
 * Never rejects.
 */
export function askPulse(adminAddress: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (!URL.canParse(`http://${adminAddress}/livez`)) {
      resolve(false);
      return;
    }
    let isConnected = false;
    const asked = request(`http://${adminAddress}/livez`, { agent: false, signal });
    asked.on("socket", (socket) => {
      socket.once("connect", () => {
        isConnected = true;
      });
    });
    asked.once("response", (response) => {
      response.resume();
      resolve(true);
    });
    // After an answer this says nothing new.
    asked.on("error", () => resolve(isConnected && !signal.aborted));
    asked.end();
  });
}
