// Checks a server with the C client: check nats://host:port [authority.pem [certificate.pem key.pem]]
//                                or: check users|token nats://host:port [authority.pem]
//
// Prints the name of each check and `ok`, and stops with a non-zero status at the first that fails.

#include <nats/nats.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How long any single answer may take, in milliseconds.
#define DEADLINE 10000

// How soon the server must say that nobody listens, in milliseconds. The request itself would wait for DEADLINE.
#define NO_RESPONDERS_DEADLINE 2000

#define QUEUE_MEMBERS 4
#define QUEUE_MESSAGES 1000
#define ORDER_MESSAGES 10000
#define DRAIN_MESSAGES 500

// What clients say to a server that runs with tests/clients/auth.conf, or with this token.
#define TOKEN "t0ken"
#define SEED "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
#define PUBLIC_KEY "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"

static const char *url;
static const char *authority;
static const char *certificate;
static const char *key;
static natsConnection *nc;

// Stops the program where something is not as it must be.
static void must(bool holds, const char *what, int line) {
    if (!holds) {
        fprintf(stderr, "FAILED\n%s:%d: %s\n", __FILE__, line, what);
        exit(1);
    }
}

#define MUST(condition) must((condition), #condition, __LINE__)

// The same for a call into the client library.
static void call(natsStatus status, const char *what, int line) {
    if (status != NATS_OK) {
        fprintf(stderr, "FAILED\n%s:%d: %s: %s\n", __FILE__, line, what, natsStatus_GetText(status));
        exit(1);
    }
}

#define CALL(expression) call((expression), #expression, __LINE__)

// Any trouble on any connection ends the program.
static void on_trouble(natsConnection *connection, natsSubscription *sub, natsStatus status, void *closure) {
    (void)connection;
    (void)sub;
    (void)closure;
    call(status, "asynchronous error", __LINE__);
}

// Options of a connection that never reconnects, with TLS if an authority is known.
static natsOptions *usual_options(void) {
    natsOptions *options = NULL;
    CALL(natsOptions_Create(&options));
    CALL(natsOptions_SetURL(options, url));
    CALL(natsOptions_SetAllowReconnect(options, false));
    CALL(natsOptions_SetTimeout(options, DEADLINE));
    if (authority != NULL) {
        CALL(natsOptions_SetSecure(options, true));
        CALL(natsOptions_LoadCATrustedCertificates(options, authority));
    }
    if (certificate != NULL)
        CALL(natsOptions_LoadCertificatesChain(options, certificate, key));
    return options;
}

static natsConnection *open_connection(bool no_echo) {
    natsOptions *options = usual_options();
    natsConnection *connection = NULL;
    CALL(natsOptions_SetNoEcho(options, no_echo));
    CALL(natsOptions_SetErrorHandler(options, on_trouble, NULL));
    CALL(natsConnection_Connect(&connection, options));
    natsOptions_Destroy(options);
    return connection;
}

static void flush(natsConnection *connection) {
    CALL(natsConnection_FlushTimeout(connection, DEADLINE));
}

// The number in a message's payload.
static int number_of(natsMsg *msg) {
    char text[16] = "";
    int length = natsMsg_GetDataLength(msg);
    MUST(length > 0 && length < (int)sizeof text);
    memcpy(text, natsMsg_GetData(msg), (size_t)length);
    return atoi(text);
}

static void publish_number(natsConnection *connection, const char *subject, int number) {
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    CALL(natsConnection_PublishString(connection, subject, text));
}

// The next message must have this subject and this payload.
static void expect(natsSubscription *sub, const char *subject, const char *payload) {
    natsMsg *msg = NULL;
    CALL(natsSubscription_NextMsg(&msg, sub, DEADLINE));
    MUST(strcmp(natsMsg_GetSubject(msg), subject) == 0);
    MUST((size_t)natsMsg_GetDataLength(msg) == strlen(payload));
    MUST(memcmp(natsMsg_GetData(msg), payload, strlen(payload)) == 0);
    natsMsg_Destroy(msg);
}

// The next message must carry this number.
static void expect_number(natsSubscription *sub, int number) {
    natsMsg *msg = NULL;
    CALL(natsSubscription_NextMsg(&msg, sub, DEADLINE));
    MUST(number_of(msg) == number);
    natsMsg_Destroy(msg);
}

// Nothing else has arrived.
static void expect_empty(natsSubscription *sub) {
    uint64_t queued = 1;
    CALL(natsSubscription_QueuedMsgs(sub, &queued));
    MUST(queued == 0);
}

static void check_connect(void) {
    uint64_t id = 0;
    nc = open_connection(false);
    MUST(natsConnection_Status(nc) == NATS_CONN_STATUS_CONNECTED);
    MUST(natsConnection_GetMaxPayload(nc) > 0);
    CALL(natsConnection_GetClientID(nc, &id));
    MUST(id > 0);
}

static void check_publish_subscribe(void) {
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;
    int64_t delivered = 0;
    CALL(natsConnection_SubscribeSync(&sub, nc, "c.plain"));
    CALL(natsConnection_PublishRequestString(nc, "c.plain", "c.reply", "hello"));
    CALL(natsSubscription_NextMsg(&msg, sub, DEADLINE));
    MUST(strcmp(natsMsg_GetSubject(msg), "c.plain") == 0);
    MUST(strcmp(natsMsg_GetReply(msg), "c.reply") == 0);
    MUST(strcmp(natsMsg_GetData(msg), "hello") == 0);
    natsMsg_Destroy(msg);
    CALL(natsSubscription_GetDelivered(sub, &delivered));
    MUST(delivered == 1);
    CALL(natsSubscription_Unsubscribe(sub));
    CALL(natsConnection_PublishString(nc, "c.plain", "unheard"));
    flush(nc);
    natsSubscription_Destroy(sub);
}

static void check_wildcards(void) {
    static const char *subjects[] = {"c.a.b", "c.a.c", "c.b.c", "c.a", "c.a.b.c"};
    natsSubscription *star = NULL;
    natsSubscription *tail = NULL;
    CALL(natsConnection_SubscribeSync(&star, nc, "c.*.c"));
    CALL(natsConnection_SubscribeSync(&tail, nc, "c.a.>"));
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        CALL(natsConnection_PublishString(nc, subjects[i], subjects[i]));
    flush(nc);
    expect(star, "c.a.c", "c.a.c");
    expect(star, "c.b.c", "c.b.c");
    expect_empty(star);
    expect(tail, "c.a.b", "c.a.b");
    expect(tail, "c.a.c", "c.a.c");
    expect(tail, "c.a.b.c", "c.a.b.c");
    expect_empty(tail);
    natsSubscription_Destroy(star);
    natsSubscription_Destroy(tail);
}

static void check_queue_group(void) {
    natsConnection *members[QUEUE_MEMBERS];
    natsSubscription *subs[QUEUE_MEMBERS];
    bool seen[QUEUE_MESSAGES] = {false};
    uint64_t total = 0;
    for (int i = 0; i < QUEUE_MEMBERS; i++) {
        members[i] = open_connection(false);
        CALL(natsConnection_QueueSubscribeSync(&subs[i], members[i], "c.work", "workers"));
        flush(members[i]);
    }
    for (int number = 0; number < QUEUE_MESSAGES; number++)
        publish_number(nc, "c.work", number);
    flush(nc);
    for (int i = 0; i < QUEUE_MEMBERS; i++) {
        uint64_t queued = 0;
        int last = -1;
        // The PONG comes after every message for this member.
        flush(members[i]);
        CALL(natsSubscription_QueuedMsgs(subs[i], &queued));
        MUST(queued > 0);
        total += queued;
        while (queued-- > 0) {
            natsMsg *msg = NULL;
            CALL(natsSubscription_NextMsg(&msg, subs[i], DEADLINE));
            int number = number_of(msg);
            MUST(number > last && number < QUEUE_MESSAGES && !seen[number]);
            seen[number] = true;
            last = number;
            natsMsg_Destroy(msg);
        }
        natsSubscription_Destroy(subs[i]);
        natsConnection_Destroy(members[i]);
    }
    MUST(total == QUEUE_MESSAGES);
}

static void answer(natsConnection *service, natsSubscription *sub, natsMsg *msg, void *closure) {
    char text[64];
    (void)sub;
    (void)closure;
    snprintf(text, sizeof text, "re: %.*s", natsMsg_GetDataLength(msg), natsMsg_GetData(msg));
    CALL(natsConnection_PublishString(service, natsMsg_GetReply(msg), text));
    natsMsg_Destroy(msg);
}

static void check_request_reply(void) {
    natsConnection *service = open_connection(false);
    natsSubscription *sub = NULL;
    CALL(natsConnection_Subscribe(&sub, service, "c.service", answer, NULL));
    flush(service);
    for (int number = 0; number < 100; number++) {
        char text[16];
        char wanted[32];
        natsMsg *reply = NULL;
        snprintf(text, sizeof text, "%d", number);
        snprintf(wanted, sizeof wanted, "re: %d", number);
        CALL(natsConnection_RequestString(&reply, nc, "c.service", text, DEADLINE));
        MUST(strcmp(natsMsg_GetData(reply), wanted) == 0);
        natsMsg_Destroy(reply);
    }
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(service);
}

static void answer_many(natsConnection *service, natsSubscription *sub, natsMsg *msg, void *closure) {
    (void)sub;
    (void)closure;
    for (int number = 0; number < 20; number++)
        publish_number(service, natsMsg_GetReply(msg), number);
    natsMsg_Destroy(msg);
}

static void check_many_replies(void) {
    natsSubscription *service = NULL;
    natsSubscription *sub = NULL;
    natsInbox *inbox = NULL;
    CALL(natsConnection_Subscribe(&service, nc, "c.many", answer_many, NULL));
    CALL(natsInbox_Create(&inbox));
    CALL(natsConnection_SubscribeSync(&sub, nc, inbox));
    CALL(natsConnection_PublishRequestString(nc, "c.many", inbox, "all of them"));
    for (int number = 0; number < 20; number++)
        expect_number(sub, number);
    natsSubscription_Destroy(sub);
    natsSubscription_Destroy(service);
    natsInbox_Destroy(inbox);
}

static void check_no_responders(void) {
    natsMsg *reply = NULL;
    int64_t start = nats_Now();
    MUST(natsConnection_RequestString(&reply, nc, "c.nobody", "hello?", DEADLINE) == NATS_NO_RESPONDERS);
    MUST(nats_Now() - start < NO_RESPONDERS_DEADLINE);
}

static void check_headers(void) {
    natsSubscription *sub = NULL;
    natsMsg *sent = NULL;
    natsMsg *msg = NULL;
    const char *value = NULL;
    const char **values = NULL;
    int count = 0;
    CALL(natsConnection_SubscribeSync(&sub, nc, "c.headers"));
    CALL(natsMsg_Create(&sent, "c.headers", NULL, "body", 4));
    CALL(natsMsgHeader_Add(sent, "Key", "one"));
    CALL(natsMsgHeader_Add(sent, "Key", "two"));
    CALL(natsMsgHeader_Set(sent, "X-Other", "three"));
    CALL(natsConnection_PublishMsg(nc, sent));
    CALL(natsSubscription_NextMsg(&msg, sub, DEADLINE));
    MUST(natsMsg_GetDataLength(msg) == 4 && memcmp(natsMsg_GetData(msg), "body", 4) == 0);
    CALL(natsMsgHeader_Get(msg, "X-Other", &value));
    MUST(strcmp(value, "three") == 0);
    CALL(natsMsgHeader_Values(msg, "Key", &values, &count));
    MUST(count == 2 && strcmp(values[0], "one") == 0 && strcmp(values[1], "two") == 0);
    free((void *)values);
    natsMsg_Destroy(msg);
    natsMsg_Destroy(sent);
    natsSubscription_Destroy(sub);
}

static void check_auto_unsubscribe(void) {
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;
    CALL(natsConnection_SubscribeSync(&sub, nc, "c.max"));
    CALL(natsSubscription_AutoUnsubscribe(sub, 3));
    for (int number = 0; number < 5; number++)
        publish_number(nc, "c.max", number);
    flush(nc);
    for (int number = 0; number < 3; number++)
        expect_number(sub, number);
    MUST(natsSubscription_NextMsg(&msg, sub, DEADLINE) == NATS_MAX_DELIVERED_MSGS);
    natsSubscription_Destroy(sub);
}

static void check_no_echo(void) {
    natsConnection *quiet = open_connection(true);
    natsSubscription *own = NULL;
    natsSubscription *other = NULL;
    CALL(natsConnection_SubscribeSync(&own, quiet, "c.echo"));
    CALL(natsConnection_SubscribeSync(&other, nc, "c.echo"));
    flush(nc);
    CALL(natsConnection_PublishString(quiet, "c.echo", "from quiet"));
    flush(quiet);
    CALL(natsConnection_PublishString(nc, "c.echo", "from main"));
    flush(nc);
    expect(own, "c.echo", "from main");
    expect_empty(own);
    expect(other, "c.echo", "from quiet");
    expect(other, "c.echo", "from main");
    natsSubscription_Destroy(own);
    natsSubscription_Destroy(other);
    natsConnection_Destroy(quiet);
}

static void check_largest_payload(void) {
    int length = (int)natsConnection_GetMaxPayload(nc);
    char *largest = malloc((size_t)length + 1);
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;
    MUST(largest != NULL);
    for (int i = 0; i <= length; i++)
        largest[i] = (char)i;
    CALL(natsConnection_SubscribeSync(&sub, nc, "c.large"));
    CALL(natsConnection_Publish(nc, "c.large", largest, length));
    CALL(natsSubscription_NextMsg(&msg, sub, DEADLINE));
    MUST(natsMsg_GetDataLength(msg) == length);
    MUST(memcmp(natsMsg_GetData(msg), largest, (size_t)length) == 0);
    natsMsg_Destroy(msg);
    MUST(natsConnection_Publish(nc, "c.large", largest, length + 1) == NATS_MAX_PAYLOAD);
    flush(nc);
    natsSubscription_Destroy(sub);
    free(largest);
}

static void check_order(void) {
    natsConnection *publisher = open_connection(false);
    natsSubscription *sub = NULL;
    CALL(natsConnection_SubscribeSync(&sub, nc, "c.order"));
    flush(nc);
    for (int number = 0; number < ORDER_MESSAGES; number++)
        publish_number(publisher, "c.order", number);
    flush(publisher);
    for (int number = 0; number < ORDER_MESSAGES; number++)
        expect_number(sub, number);
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(publisher);
}

static void count_message(natsConnection *connection, natsSubscription *sub, natsMsg *msg, void *closure) {
    int *next = closure;
    (void)connection;
    (void)sub;
    MUST(number_of(msg) == *next);
    *next += 1;
    natsMsg_Destroy(msg);
}

static void check_drain(void) {
    natsConnection *drained = open_connection(false);
    natsSubscription *sub = NULL;
    int next = 0;
    CALL(natsConnection_Subscribe(&sub, drained, "c.drain", count_message, &next));
    flush(drained);
    for (int number = 0; number < DRAIN_MESSAGES; number++)
        publish_number(nc, "c.drain", number);
    flush(nc);
    CALL(natsSubscription_Drain(sub));
    CALL(natsSubscription_WaitForDrainCompletion(sub, DEADLINE));
    MUST(next == DRAIN_MESSAGES);
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(drained);
}

static void check_close(void) {
    flush(nc);
    natsConnection_Close(nc);
    MUST(natsConnection_IsClosed(nc));
    natsConnection_Destroy(nc);
}

static const struct {
    const char *name;
    void (*run)(void);
} checks[] = {
    {"connect", check_connect},
    {"publish_subscribe", check_publish_subscribe},
    {"wildcards", check_wildcards},
    {"queue_group", check_queue_group},
    {"request_reply", check_request_reply},
    {"many_replies", check_many_replies},
    {"no_responders", check_no_responders},
    {"headers", check_headers},
    {"auto_unsubscribe", check_auto_unsubscribe},
    {"no_echo", check_no_echo},
    {"largest_payload", check_largest_payload},
    {"order", check_order},
    {"drain", check_drain},
    {"close", check_close},
};

// A client with these options gets a message of its own on a subject.
static void expect_let_in(natsOptions *options, const char *subject) {
    natsConnection *connection = NULL;
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;
    CALL(natsOptions_SetErrorHandler(options, on_trouble, NULL));
    CALL(natsConnection_Connect(&connection, options));
    CALL(natsConnection_SubscribeSync(&sub, connection, subject));
    CALL(natsConnection_PublishString(connection, subject, "x"));
    CALL(natsSubscription_NextMsg(&msg, sub, DEADLINE));
    MUST(strcmp(natsMsg_GetData(msg), "x") == 0);
    natsMsg_Destroy(msg);
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(connection);
    natsOptions_Destroy(options);
}

static void expect_refused(natsOptions *options) {
    natsConnection *connection = NULL;
    natsStatus status = natsConnection_Connect(&connection, options);
    MUST(status == NATS_CONNECTION_AUTH_FAILED);
    natsOptions_Destroy(options);
}

static natsOptions *user_options(const char *user, const char *password) {
    natsOptions *options = usual_options();
    CALL(natsOptions_SetUserInfo(options, user, password));
    return options;
}

static natsOptions *token_options(const char *token) {
    natsOptions *options = usual_options();
    CALL(natsOptions_SetToken(options, token));
    return options;
}

// Signs what the server asks to be signed; `closure` is the seed.
static natsStatus sign(char **error, unsigned char **signature, int *length, const char *nonce, void *closure) {
    (void)error;
    return nats_Sign(closure, nonce, signature, length);
}

static natsStatus sign_wrongly(char **error, unsigned char **signature, int *length, const char *nonce,
                               void *closure) {
    natsStatus status = sign(error, signature, length, nonce, closure);
    if (status == NATS_OK)
        (*signature)[0] ^= 1;
    return status;
}

static natsOptions *key_options(natsSignatureHandler signer) {
    natsOptions *options = usual_options();
    CALL(natsOptions_SetNKey(options, PUBLIC_KEY, signer, SEED));
    return options;
}

static void check_users(void) {
    expect_let_in(user_options("plain", "\xc2\xa7" "12"), "any");
    expect_let_in(user_options("hashed", "foo"), "any");
    expect_refused(user_options("plain", "bar"));
    expect_refused(user_options("hashed", "bar"));
    expect_refused(user_options("nobody", "foo"));
    expect_let_in(key_options(sign), "open.a");
    expect_refused(key_options(sign_wrongly));
    expect_refused(token_options("foo"));
    expect_refused(usual_options());
}

static void check_token(void) {
    expect_let_in(token_options(TOKEN), "any");
    expect_refused(token_options(TOKEN "x"));
    expect_refused(usual_options());
}

static int check_access(const char *kind) {
    printf("libnats: %s ... ", kind);
    fflush(stdout);
    if (strcmp(kind, "users") == 0)
        check_users();
    else
        check_token();
    printf("ok\n");
    nats_Close();
    return 0;
}

int main(int count, char **arguments) {
    bool is_access = count > 1 && (strcmp(arguments[1], "users") == 0 || strcmp(arguments[1], "token") == 0);
    if (is_access && (count == 3 || count == 4)) {
        url = arguments[2];
        authority = count == 4 ? arguments[3] : NULL;
        return check_access(arguments[1]);
    }
    if (is_access || (count != 2 && count != 3 && count != 5)) {
        fprintf(stderr, "usage: check nats://host:port [authority.pem [certificate.pem key.pem]]\n"
                        "       check users|token nats://host:port [authority.pem]\n");
        return 2;
    }
    url = arguments[1];
    authority = count > 2 ? arguments[2] : NULL;
    certificate = count > 3 ? arguments[3] : NULL;
    key = count > 3 ? arguments[4] : NULL;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        printf("libnats: %s ... ", checks[i].name);
        fflush(stdout);
        checks[i].run();
        printf("ok\n");
    }
    nats_Close();
    return 0;
}
