/** What the scripted encoder does with an image whose pixels have this grey level. What hangs can be abandoned. */
export const COMMANDS = { answer: 1, exit: 2, throw: 3, hang: 4 } as const;

/** As `threads`: the scripted encoder's weights are refused. */
export const REFUSED = 13;
