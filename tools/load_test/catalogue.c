#include "load_test/catalogue.h"

#include <assert.h>
#include <string.h>

static const char *const texts[CATALOGUE_COUNT][2] = {
    [TEXT_TITLE] = {"load_test {1}, seed {2}, {3}, {4} s warm-up + {5} s",
                    "load_test {1}, semilla {2}, {3}, {4} s de calentamiento + {5} s"},
    [TEXT_OPEN_LOOP] = {"open loop", "bucle abierto"},
    [TEXT_CLOSED_LOOP] = {"closed loop", "bucle cerrado"},
    [TEXT_STARTED] = {"started", "inicio"},
    [TEXT_PRIMARY] = {"primary", "primario"},
    [TEXT_REPLICA] = {"replica", "réplica"},
    [TEXT_NO_REPLICA] = {"none", "ninguna"},
    [TEXT_ASKED] = {"asked", "pedido"},
    [TEXT_ASKED_OPEN] = {"{1} writes/s; connections: {2} for writes, {3} for reads, {4}",
                         "{1} escrituras/s; conexiones: {2} escriben, {3} leen, {4}"},
    [TEXT_ASKED_CLOSED] =
        {"writes without a pause; connections: {1} for writes, {2} for reads, {3}",
         "escrituras sin pausa; conexiones: {1} escriben, {2} leen, {3}"},
    [TEXT_UNPACED] = {"unpaced", "sin pausa"},
    [TEXT_PACED] = {"{1} reads/s", "{1} lecturas/s"},
    [TEXT_TABLE_KEPT] = {"table", "tabla"},

    [TEXT_PASS] = {"PASS", "BIEN"},
    [TEXT_NOTE] = {"NOTE", "NOTA"},
    [TEXT_SLOW] = {"SLOW", "LENTO"},
    [TEXT_FAIL] = {"FAIL", "FALLO"},
    [TEXT_INTERRUPTED] = {"INTERRUPTED", "INTERRUMPIDO"},
    [TEXT_INTERRUPTED_AFTER] = {"after {1} s; the figures are of that time",
                                "a los {1} s; las cifras son de ese tiempo"},
    [TEXT_PASS_CHECKED] = {"every acknowledged write is on every node, exactly once",
                           "cada escritura confirmada está en todos los nodos, una sola vez"},
    [TEXT_PASS_UNCHECKED] = {"nothing was missed; the writes were not counted on every node",
                             "todo lo esperado se cumplió; las escrituras no se contaron en todos "
                             "los nodos"},
    [TEXT_NOTHING_WRITTEN] = {"no write was acknowledged: there was nothing to check",
                              "no se confirmó ninguna escritura: no había nada que comprobar"},

    [TEXT_THROUGHPUT] = {"THROUGHPUT", "RENDIMIENTO"},
    [TEXT_DONE] = {"done", "hechas"},
    [TEXT_PER_SECOND] = {"per second", "por segundo"},
    [TEXT_FAILED] = {"failed", "fallidas"},
    [TEXT_UNKNOWN] = {"unknown", "inciertas"},
    [TEXT_UNSENT] = {"unsent", "sin enviar"},
    [TEXT_WRITES] = {"writes", "escrituras"},
    [TEXT_READS] = {"reads", "lecturas"},
    [TEXT_SHARE_OF_ASKED] = {"{1} % of the {2} writes/s asked",
                             "{1} % de las {2} escrituras/s pedidas"},
    [TEXT_READS_MOVED] = {"{1} reads asked another replica, as theirs did not answer",
                          "{1} lecturas fueron a otra réplica, pues la suya no respondió"},

    [TEXT_LATENCY] = {"LATENCY, ms", "LATENCIA, ms"},
    [TEXT_MAX] = {"max", "máx"},
    [TEXT_WRITE_DUE] = {"write, since due", "escritura, desde su hora"},
    [TEXT_WRITE_SENT] = {"write, since sent", "escritura, desde el envío"},
    [TEXT_READ_SENT] = {"read,  since sent", "lectura,   desde el envío"},

    [TEXT_LAG] = {"REPLICATION LAG, ms", "RETRASO DE RÉPLICAS, ms"},
    [TEXT_VISIBLE] = {"acknowledged -> visible, at most", "confirmada -> visible, como mucho"},
    [TEXT_APPLIED] = {"commit timestamp -> applied", "hora del commit -> aplicada"},
    [TEXT_APPLIED_CLOCK] = {"commit timestamp -> applied, clocks known to ±{1} ms",
                            "hora del commit -> aplicada, relojes conocidos a ±{1} ms"},
    [TEXT_APPLIED_OFF] = {"commit timestamp -> applied: not measured: track_commit_timestamp is "
                          "off",
                          "hora del commit -> aplicada: sin medir: track_commit_timestamp está en "
                          "off"},
    [TEXT_APPLIED_NONE] = {"commit timestamp -> applied: not measured",
                           "hora del commit -> aplicada: sin medir"},
    [TEXT_UNSEEN] = {"not seen on {2} before the end of the run: {1} writes (never)",
                     "sin ver en {2} antes del final de la prueba: {1} escrituras (nunca)"},
    [TEXT_STALE] = {"proven not visible yet when acknowledged: {1}",
                    "aún no visibles, demostrado, al confirmarse: {1}"},
    [TEXT_RESOLUTION] = {"resolution {1} ms (p90 {2}): replay position read at least {3} times/s",
                         "resolución {1} ms (p90 {2}): posición leída al menos {3} veces/s"},
    [TEXT_LAG_NONE] = {"not measured", "sin medir"},
    [TEXT_FOUND] = {"a read sent t after the commit finds it",
                    "una lectura enviada t después del commit la encuentra"},
    [TEXT_FOUND_NONE] = {"a read sent t after the commit: not measured",
                         "una lectura enviada t después del commit: sin medir"},
    [TEXT_PROBES] =
        {"t = 0: {1} reads sent right after the acknowledgement; the rest: lower bounds",
         "t = 0: {1} lecturas enviadas al confirmarse; el resto: cotas inferiores"},

    [TEXT_CHECKED] = {"CHECKED", "COMPROBADO"},
    [TEXT_COUNTED] = {"{1} acknowledged writes, counted on {2}: {3} lost, {4} twice",
                      "{1} escrituras confirmadas, contadas en {2}: {3} perdidas, {4} dobles"},
    [TEXT_COUNTED_NODE] = {"{1}: {2} lost, {3} twice", "{1}: {2} perdidas, {3} dobles"},
    [TEXT_NOT_CHECKED] = {"not counted: {1}", "sin contar: {1}"},
    [TEXT_COUNTED_NONE] = {"the acknowledged writes were not counted on any node",
                           "las escrituras confirmadas no se contaron en ningún nodo"},
    [TEXT_UNKNOWN_THERE] = {"{1} writes got no answer: {2} of them are on the primary",
                            "{1} escrituras sin respuesta: {2} de ellas están en el primario"},
    [TEXT_UNWRITTEN] = {"{1} writes that the server refused are there all the same",
                        "{1} escrituras que el servidor rechazó están allí de todos modos"},
    [TEXT_REPLAY_LAG] =
        {"pg_stat_replication.replay_lag {1}: p50 {4}, max {5} ms, {2} of {3} not NULL",
         "pg_stat_replication.replay_lag {1}: p50 {4}, máx {5} ms, {2} de {3} no NULL"},
    [TEXT_CONNECTIONS] =
        {"at most {1} of {2} connections; longest query {3} s; {4} idle in transaction",
         "hasta {1} de {2} conexiones, consultas hasta {3} s, {4} ociosas en transacción"},
    [TEXT_TOOL] = {"this tool used {1} % of a core, its busiest thread {2} %: {3}",
                   "esta herramienta usó {1} % de un núcleo, su hilo más activo {2} %: {3}"},
    [TEXT_TOOL_ON_TIME] = {"this tool used {1} % of a core, its busiest thread {2} %, and sent "
                           "{3} % of the writes on time: {4}",
                           "esta herramienta usó {1} % de un núcleo, su hilo más activo {2} %, y "
                           "envió a tiempo el {3} % de las escrituras: {4}"},
    [TEXT_NOT_THE_LIMIT] = {"not the limit", "no fue el límite"},
    [TEXT_WAS_THE_LIMIT] = {"it was the limit", "fue el límite"},
    [TEXT_CORES_TAKEN] = {"this machine's cores were taken",
                          "los núcleos de esta máquina estaban ocupados"},

    [TEXT_ERRORS] = {"ERRORS", "ERRORES"},
    [TEXT_FIRST_MESSAGE] = {"first message", "primer mensaje"},
    [TEXT_SETTINGS] = {"SETTINGS", "AJUSTES"},
    [TEXT_AND] = {"and", "y"},
    [TEXT_NEVER] = {"never", "nunca"},
};

const char *catalogue_text(enum report_language language, enum catalogue_text id)
{
    assert(id < CATALOGUE_COUNT);
    return texts[id][language == REPORT_SPANISH];
}

void catalogue_append(struct text *out, enum report_language language, enum catalogue_text id,
                      const char *const *values, size_t count)
{
    for (const char *at = catalogue_text(language, id); *at != '\0';) {
        size_t plain = strcspn(at, "{");
        text_append_bytes(out, at, plain);
        at += plain;
        if (*at == '{') { /* "{1}": the unit test has seen that all are like that */
            size_t place = (size_t)(at[1] - '1');
            assert(place < count);
            text_append(out, values[place]);
            at += 3;
        }
    }
}
