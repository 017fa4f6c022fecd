/* DETECTION_POSTPROCESSING: boxes from anchors and deltas, then non-maximum suppression. */
#include <math.h>
#include <stdlib.h>

#include "kernels.h"

typedef struct {
    float score;
    uint32_t anchor, label;
} Found;

int nn_detection_shape(const Call *call, Tensor *out)
{
    const Tensor *scores = call->in[0], *deltas = call->in[1], *anchors = call->in[2];
    NN_CHECK(scores->rank == 3 && deltas->rank == 3 && anchors->rank == 2, "DETECTION_POSTPROCESSING: ranks must be 3, 3 and 2");
    NN_CHECK(scores->dims[0] == deltas->dims[0] && scores->dims[1] == deltas->dims[1] && scores->dims[1] == anchors->dims[0] &&
                 deltas->dims[2] >= 4 && anchors->dims[1] == 4 && scores->dims[2] > 1,
             "DETECTION_POSTPROCESSING: scores, deltas and anchors do not fit each other");
    for (uint32_t i = 3; i < 7; i++) NN_CHECK(nn_float(call, i) > 0, "DETECTION_POSTPROCESSING: a scaling factor is not positive");
    for (uint32_t i = 8; i < 11; i++)
        NN_CHECK(nn_int(call, i) > 0 && nn_int(call, i) < 1 << 20, "DETECTION_POSTPROCESSING: a limit is out of range");
    NN_CHECK(nn_float(call, 12) > 0 && nn_float(call, 12) <= 1, "DETECTION_POSTPROCESSING: the IoU threshold is not in (0, 1]");
    uint32_t batches = scores->dims[0], most = (uint32_t)nn_int(call, 8);
    for (uint32_t i = 0; i < 4; i++) {
        out[i].rank = i == 1 ? 3 : i == 3 ? 1 : 2;
        out[i].dims[0] = batches;
        out[i].dims[1] = most;
        out[i].dims[2] = 4;
    }
    return NN_NO_ERROR;
}

/* Corners [y1, x1, y2, x2] of every anchor's box. */
static void decode(const Call *call, size_t batch, float (*boxes)[4])
{
    const Tensor *deltas = call->in[1];
    size_t count = deltas->dims[1], length = deltas->dims[2];
    float scale[4];
    for (uint32_t i = 0; i < 4; i++) scale[i] = nn_float(call, 3 + i);
    for (size_t i = 0; i < count; i++) {
        const float *d = (const float *)deltas->data + (batch * count + i) * length, *a = (const float *)call->in[2]->data + i * 4;
        float y = d[0] / scale[0] * a[2] + a[0], x = d[1] / scale[1] * a[3] + a[1];
        float h = expf(d[2] / scale[2]) * a[2] / 2, w = expf(d[3] / scale[3]) * a[3] / 2;
        boxes[i][0] = y - h;
        boxes[i][1] = x - w;
        boxes[i][2] = y + h;
        boxes[i][3] = x + w;
    }
}

static float overlap(const float *a, const float *b)
{
    float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
    if (area_a <= 0 || area_b <= 0) return 0;
    float h = fminf(a[2], b[2]) - fmaxf(a[0], b[0]), w = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
    float both = fmaxf(h, 0) * fmaxf(w, 0);
    return both / (area_a + area_b - both);
}

/* Best score first; of equals the lower anchor, then the lower class. */
static int by_score(const void *a, const void *b)
{
    const Found *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->anchor != y->anchor) return x->anchor < y->anchor ? -1 : 1;
    return x->label < y->label ? -1 : x->label > y->label;
}

/* Keeps at most `most` of the candidates, none of which overlaps a better one; returns how many. */
static size_t suppress(Found *candidates, size_t count, size_t most, float threshold, float (*boxes)[4])
{
    qsort(candidates, count, sizeof *candidates, by_score);
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < most; i++) {
        bool good = true;
        for (size_t j = 0; j < kept && good; j++)
            good = overlap(boxes[candidates[i].anchor], boxes[candidates[j].anchor]) <= threshold;
        if (good) candidates[kept++] = candidates[i];
    }
    return kept;
}

/* Every class on its own. */
static size_t regular(const Call *call, const float *scores, float (*boxes)[4], Found *room, Found *all)
{
    size_t anchors = call->in[0]->dims[1], classes = call->in[0]->dims[2], found = 0, most = (size_t)nn_int(call, 8);
    for (uint32_t c = 1; c < classes; c++) {
        size_t count = 0;
        for (uint32_t a = 0; a < anchors; a++)
            if (scores[a * classes + c] >= nn_float(call, 11)) room[count++] = (Found){scores[a * classes + c], a, c};
        count = suppress(room, count, (size_t)nn_int(call, 10), nn_float(call, 12), boxes);
        if (count > most) count = most;
        memcpy(all + found, room, count * sizeof *room);
        found += count;
        qsort(all, found, sizeof *all, by_score); /* only the best are ever shown */
        if (found > most) found = most;
    }
    return found;
}

/* One suppression with the best class of each anchor; each kept anchor then shows its best classes. */
static size_t fast(const Call *call, const float *scores, float (*boxes)[4], Found *room, Found *all)
{
    size_t anchors = call->in[0]->dims[1], classes = call->in[0]->dims[2], found = 0, count = 0, most = (size_t)nn_int(call, 8);
    for (uint32_t a = 0; a < anchors; a++) {
        float best = scores[a * classes + 1];
        for (uint32_t c = 2; c < classes; c++) best = fmaxf(best, scores[a * classes + c]);
        if (best >= nn_float(call, 11)) room[count++] = (Found){best, a, 0};
    }
    count = suppress(room, count, most, nn_float(call, 12), boxes);
    Found *ranked = nn_scratch(call, classes * sizeof *ranked);
    for (size_t i = 0; i < count; i++) {
        uint32_t a = room[i].anchor;
        for (uint32_t c = 1; c < classes; c++) ranked[c - 1] = (Found){scores[a * classes + c], a, c};
        qsort(ranked, classes - 1, sizeof *ranked, by_score);
        for (size_t j = 0; j < classes - 1 && j < (size_t)nn_int(call, 9) && found < most; j++) all[found++] = ranked[j];
    }
    return found;
}

int nn_detection_run(const Call *call)
{
    const Tensor *in = call->in[0];
    size_t anchors = in->dims[1], classes = in->dims[2], most = (size_t)nn_int(call, 8);
    float(*boxes)[4] = nn_scratch(call, anchors * sizeof *boxes);
    Found *room = nn_scratch(call, anchors * sizeof *room), *all = nn_scratch(call, (2 * most + 1) * sizeof *all);
    for (size_t batch = 0; batch < in->dims[0]; batch++) {
        const float *scores = (const float *)in->data + batch * anchors * classes;
        float *score = (float *)call->out[0]->data + batch * most, *box = (float *)call->out[1]->data + batch * most * 4;
        int32_t *label = (int32_t *)call->out[2]->data + batch * most;
        memset(score, 0, most * sizeof *score);
        memset(box, 0, most * 4 * sizeof *box);
        memset(label, 0, most * sizeof *label);
        decode(call, batch, boxes);
        int used = call->scratch->used;
        size_t found = nn_flag(call, 7) ? regular(call, scores, boxes, room, all) : fast(call, scores, boxes, room, all);
        call->scratch->used = used;
        for (size_t i = 0; i < found; i++) {
            score[i] = all[i].score;
            memcpy(box + i * 4, boxes[all[i].anchor], sizeof boxes[0]);
            label[i] = (int32_t)all[i].label - (nn_flag(call, 13) ? 0 : 1);
        }
        ((int32_t *)call->out[3]->data)[batch] = (int32_t)found;
    }
    return NN_NO_ERROR;
}
